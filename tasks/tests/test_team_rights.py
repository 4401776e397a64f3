"""Who may change an agent and the members of a project, even when several try at once."""

import pytest

from tasks.actions import claims, projects
from tasks.actions.agents import (
    create_agent,
    create_token,
    edit_agent,
    hand_over_agent,
    revoke_token,
    set_availability,
)
from tasks.errors import DomainError, Invalid, NotPermitted
from tasks.models import Agent, AgentKind, Assignment, Availability, Membership, Role, Run
from tasks.permissions import owns
from tasks.tests.cast import join, make_agent
from tasks.tests.racing import at_once


@pytest.fixture
def shared(cast):
    """atlas, which OPS owns, also works in OTHER, whose manager is mona."""
    join(cast.other, cast.atlas.user, Role.WORKER)
    return cast.atlas


@pytest.mark.parametrize(
    "changes",
    [{"max_concurrent": 99}, {"enabled": False}, {"name": "Mine"}, {"version": "2"}, {"availability": "paused"}, {}],
    ids=str,
)
def test_edit_agent_by_manager_of_a_project_that_borrows_it_is_refused(cast, shared, changes):
    with pytest.raises(NotPermitted, match="for its owner"):
        edit_agent(actor=cast.mona.user, agent=shared, changes=changes, skills=None if changes else [("python", 5)])
    assert Agent.objects.get(pk=shared.pk).max_concurrent == shared.max_concurrent


def test_edit_agent_by_manager_of_the_owning_project_is_allowed_wherever_it_works(cast, shared):
    assert edit_agent(actor=cast.ada.user, agent=shared, changes={"max_concurrent": 7}).max_concurrent == 7
    token, _ = create_token(actor=cast.ada.user, agent=shared, name="leaked")
    set_availability(actor=cast.ada.user, agent=shared, availability=Availability.PAUSED)
    revoke_token(actor=cast.ada.user, token=token)
    shared.refresh_from_db()
    token.refresh_from_db()
    assert shared.availability == Availability.PAUSED
    assert token.revoked_at is not None


def test_manager_of_a_project_that_borrows_an_agent_cannot_stop_or_impersonate_it(cast, shared, api):
    """What a stranger did: take an agent of another project, pause it, list and revoke its tokens, make a new one."""
    token, _ = create_token(actor=cast.ada.user, agent=shared, name="works with it")
    assert api.mona.patch("/agents/atlas", {"availability": "paused"}).status_code == 403
    assert api.mona.get("/agents/atlas/tokens").status_code == 403
    assert api.mona.post("/agents/atlas/tokens", {"name": "way in"}).status_code == 403
    assert api.mona.delete(f"/agents/atlas/tokens/{token.pk}").status_code == 403
    token.refresh_from_db()
    assert token.revoked_at is None
    assert api.mona.get("/agents/atlas").json()["owner"] == {"kind": "project", "name": None}
    assert api.ada.get("/agents/atlas").json()["owner"] == {"kind": "project", "name": "OPS"}


def test_edit_agent_of_a_person_by_a_manager_says_what_they_can_do_and_stops_nothing(cast):
    described = {"max_concurrent": 2, "working_hours": "Mon-Fri 09:00-17:00"}
    edit_agent(actor=cast.ada.user, agent=cast.hugo, changes=described, skills=[("docs", 4)])
    for changes in ({"availability": "paused"}, {"version": "2"}, {"enabled": False}):
        with pytest.raises(NotPermitted, match="You may change only max concurrent, name"):
            edit_agent(actor=cast.ada.user, agent=cast.hugo, changes=changes)
    join(cast.other, cast.hugo.user, Role.WORKER)
    with pytest.raises(NotPermitted, match="nothing of hugo"):
        edit_agent(actor=cast.ada.user, agent=cast.hugo, changes=described)


def test_edit_agent_by_the_person_leaves_their_capacity_and_account_to_others(cast):
    edit_agent(actor=cast.hugo.user, agent=cast.hugo, changes={"name": "Hugo H.", "time_zone": "UTC"})
    for changes in ({"enabled": False}, {"max_concurrent": 50}):
        with pytest.raises(NotPermitted, match="administrators"):
            edit_agent(actor=cast.hugo.user, agent=cast.hugo, changes=changes)
    with pytest.raises(NotPermitted, match="administrators"):
        edit_agent(actor=cast.hugo.user, agent=cast.hugo, changes={}, skills=[("python", 5)])


# -- owners -----------------------------------------------------------------------------------------------------------


def test_create_agent_belongs_to_its_creator_unless_another_owner_is_named(cast):
    mine = create_agent(actor=cast.ada.user, slug="mine")
    ours = create_agent(actor=cast.ada.user, slug="ours", owner=cast.ops)
    assert (mine.owner_user, ours.owner_project) == (cast.ada.user, cast.ops)
    with pytest.raises(NotPermitted):
        create_agent(actor=cast.ada.user, slug="theirs", owner=cast.other)
    with pytest.raises(Invalid, match="owns themself"):
        create_agent(actor=cast.ada.user, slug="person", kind=AgentKind.HUMAN, owner=cast.ops)
    assert create_agent(actor=cast.ada.user, slug="somebody", kind=AgentKind.HUMAN).owner_user is None


def test_owns_is_for_the_person_the_managers_of_the_project_and_administrators(cast):
    people = [cast.root, cast.ada.user, cast.rita.user, cast.mona.user, cast.atlas.user, cast.hugo.user]
    nobodys = make_agent("nobodys")
    adas = create_agent(actor=cast.ada.user, slug="adas")
    may = {agent.slug: [user.username for user in people if owns(user, agent)] for agent in (cast.atlas, nobodys, adas)}
    may["hugo"] = [user.username for user in people if owns(user, cast.hugo)]
    assert may == {
        "atlas": ["root", "ada"],
        "nobodys": ["root"],
        "adas": ["root", "ada"],
        "hugo": ["root", "hugo"],
    }


def test_hand_over_agent_by_its_owner_to_whom_they_speak_for(cast, api):
    def owner(who, **owner):
        return who.patch("/agents/atlas", {"owner": owner})

    assert owner(api.ada, kind="user", name="ada").json()["owner"] == {"kind": "user", "name": "ada"}
    assert owner(api.ada, kind="project", name="OPS").json()["owner"] == {"kind": "project", "name": "OPS"}
    refused = owner(api.ada, kind="project", name="OTHER")
    assert (refused.status_code, refused.json()["errors"]) == (400, {"owner": ["You manage no project 'OTHER'."]})
    assert owner(api.ada, kind="user", name="mona").json()["errors"].keys() == {"owner"}
    # What is there and what is not get the same answer.
    there, missing = (owner(api.ada, kind="user", name=name).json() for name in ("mona", "nome"))
    assert str(there).replace("mona", "nome") == str(missing)
    assert owner(api.root, kind="project", name="OTHER").status_code == 200
    assert owner(api.ada, kind="project", name="OPS").status_code == 403
    assert owner(api.root, kind="user", name="atlas").json()["errors"].keys() == {"owner"}


def test_agent_whose_owning_project_is_gone_is_for_administrators(cast, api):
    cast.other.memberships.all().delete()
    cast.other.delete()
    cast.zed.refresh_from_db()
    assert not owns(cast.mona.user, cast.zed)
    assert hand_over_agent(actor=cast.root, agent=cast.zed, owner=cast.ops).owner_project == cast.ops


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
