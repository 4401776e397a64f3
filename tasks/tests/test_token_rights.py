"""Who may create a token: it opens everything that its agent sees, so it is for the owner to make."""

import pytest

from tasks.actions.agents import create_token
from tasks.errors import NotPermitted
from tasks.models import AgentKind, AgentToken, Role
from tasks.tests.cast import join, make_agent


def test_create_token_by_manager_of_the_owning_project_is_allowed(cast):
    token, plain = create_token(actor=cast.ada.user, agent=cast.atlas, name="laptop")
    assert plain.startswith(token.hint)


def test_create_token_by_manager_of_another_of_its_projects_is_refused(cast):
    join(cast.other, cast.atlas.user, Role.WORKER)
    with pytest.raises(NotPermitted, match="Only the owner of atlas"):
        create_token(actor=cast.mona.user, agent=cast.atlas, name="way in")
    assert not AgentToken.objects.exists()


def test_create_token_for_a_person_by_somebody_who_manages_none_of_their_projects_is_refused(cast):
    with pytest.raises(NotPermitted, match="Only the owner of hugo or a manager of one of their projects"):
        create_token(actor=cast.mona.user, agent=cast.hugo, name="in their name")


def test_create_token_for_a_superuser_is_refused_to_managers(cast):
    agent = make_agent("chief", kind=AgentKind.HUMAN)
    agent.user.is_superuser = True
    agent.user.save()
    join(cast.ops, agent.user, Role.WORKER)
    with pytest.raises(NotPermitted):
        create_token(actor=cast.ada.user, agent=agent, name="way up")


def test_create_token_by_a_person_for_themselves_is_allowed(cast):
    join(cast.other, cast.hugo.user, Role.WORKER)
    token, _ = create_token(actor=cast.hugo.user, agent=cast.hugo, name="my shell")
    assert token.created_by == cast.hugo.user


def test_create_token_by_an_llm_agent_for_itself_is_refused(cast):
    with pytest.raises(NotPermitted):
        create_token(actor=cast.atlas.user, agent=cast.atlas, name="more")
