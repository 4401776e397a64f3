"""Who may change an agent and the members of a project, even when several try at once."""

import pytest

from tasks.actions import claims, projects
from tasks.actions.agents import create_token, edit_agent, revoke_token, set_availability
from tasks.errors import DomainError, Invalid, NotPermitted
from tasks.models import Agent, Assignment, Availability, Membership, Role, Run
from tasks.tests.cast import join, make_agent
from tasks.tests.racing import at_once


@pytest.fixture
def shared(cast):
    """atlas also works in OTHER."""
    join(cast.other, cast.atlas.user, Role.WORKER)
    return cast.atlas


@pytest.mark.parametrize(
    "changes", [{"max_concurrent": 99}, {"enabled": False}, {"name": "Mine"}, {"version": "2"}, {}], ids=str
)
def test_edit_agent_by_manager_of_one_of_its_projects_is_refused(cast, shared, changes):
    with pytest.raises(NotPermitted, match="all its projects"):
        edit_agent(actor=cast.ada.user, agent=shared, changes=changes, skills=None if changes else [("python", 5)])
    assert Agent.objects.get(pk=shared.pk).max_concurrent == shared.max_concurrent


def test_edit_agent_by_manager_of_all_its_projects_is_allowed(cast, shared):
    join(cast.other, cast.ada.user, Role.MANAGER)
    assert edit_agent(actor=cast.ada.user, agent=shared, changes={"max_concurrent": 7}).max_concurrent == 7


def test_pause_and_revoke_by_manager_of_one_of_its_projects_are_allowed(cast, shared):
    token, _ = create_token(actor=None, agent=shared, name="leaked")
    set_availability(actor=cast.ada.user, agent=shared, availability=Availability.PAUSED)
    revoke_token(actor=cast.ada.user, token=token)
    shared.refresh_from_db()
    token.refresh_from_db()
    assert shared.availability == Availability.PAUSED
    assert token.revoked_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_managers_who_remove_each_other_at_once_leave_one(cast):
    second = make_agent("second").user
    Agent.objects.filter(user=second).update(kind="human")
    join(cast.ops, second, Role.MANAGER)
    first = cast.ada.user
    outcomes = at_once(
        lambda: projects.remove_member(actor=first, project=cast.ops, user=second),
        lambda: projects.remove_member(actor=second, project=cast.ops, user=first),
        seed=1,
    )
    assert Membership.objects.filter(project=cast.ops, role=Role.MANAGER).count() == 1
    [refused] = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refused, NotPermitted | Invalid)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(4))
def test_member_removed_while_it_claims_holds_nothing_afterwards(cast, new_task, seed):
    tasks = [new_task() for _ in range(3)]
    outcomes = at_once(
        lambda: projects.remove_member(actor=cast.ada.user, project=cast.ops, user=cast.atlas.user),
        *(lambda task=task: claims.claim_task(actor=cast.atlas.user, task=task) for task in tasks),
        seed=seed,
    )
    assert all(not isinstance(outcome, Exception) or isinstance(outcome, DomainError) for outcome in outcomes)
    assert not Run.objects.active().filter(agent=cast.atlas).exists()
    assert not Assignment.objects.active().filter(agent=cast.atlas).exists()
