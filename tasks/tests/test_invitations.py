"""Who is added to a project at once, who is invited, and what an inviter learns of accounts that they cannot see."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from taskproject.reach import Reach, limited
from tasks.actions import claims, invitations, projects
from tasks.actions import members as members_module
from tasks.actions.agents import create_agent, create_token
from tasks.actions.members import MemberWish, change_members
from tasks.actions.projects import remove_member, set_member
from tasks.errors import Invalid, InvitationEnded, NotFound, NotPermitted
from tasks.events.words import sentence
from tasks.finding import find_invitation
from tasks.models import Agent, AgentKind, Event, Invitation, Membership, Project, Role, Run
from tasks.tests.admin_pages import as_posted, messages_of, signed_in
from tasks.tests.cast import join, make_agent, make_user
from tasks.tests.racing import at_once


def invited(project, name, *, by, role=Role.WORKER) -> Invitation:
    [change] = change_members(actor=by, project=project, wishes=[MemberWish(name, role)])
    assert change.invitation is not None
    return change.invitation


def members(project) -> set[str]:
    return set(Membership.objects.filter(project=project).values_list("user__username", flat=True))


def outcomes(answer) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [change["outcome"] for change in answer.json()["member_changes"]]


# -- added or invited -------------------------------------------------------------------------------------------------


def test_a_stranger_cannot_take_an_agent_of_another_project(cast, new_task, api):
    """The take-over: add the agent of a project that one cannot even see, then stop it and make a way in."""
    task = new_task(assignees=[cast.atlas])
    answer = api.mona.patch("/projects/OTHER", {"members": [{"name": "atlas", "role": "worker"}]})
    assert outcomes(answer) == ["invited"]
    assert members(cast.other) == {"mona", "zed"}
    for refused in (
        api.mona.get("/agents/atlas"),
        api.mona.patch("/agents/atlas", {"availability": "paused"}),
        api.mona.get("/agents/atlas/tokens"),
        api.mona.post("/agents/atlas/tokens", {"name": "way in"}),
    ):
        assert refused.status_code == 404
    assert api.atlas.post(f"/tasks/{task.ref}/claim", {}).status_code == 200


def test_add_by_whoever_manages_all_their_projects_or_owns_the_agent_is_done_at_once(cast, api):
    second = Project.objects.create(key="SECOND", name="Second")
    join(second, cast.ada.user, Role.MANAGER)
    create_agent(actor=cast.ada.user, slug="mine")
    wishes = [{"name": name, "role": "worker"} for name in ("hugo", "atlas", "mine")]
    assert outcomes(api.ada.patch("/projects/SECOND", {"members": wishes})) == ["added"] * 3
    assert outcomes(api.ada.patch("/projects/SECOND", {"members": wishes})) == ["unchanged"] * 3
    assert members(second) == {"ada", "hugo", "atlas", "mine"}


def test_person_without_a_project_is_added_only_by_whoever_made_the_unused_account(cast):
    fresh = create_agent(actor=cast.ada.user, slug="nora", kind=AgentKind.HUMAN)
    stray = make_user("stray")
    with pytest.raises(NotPermitted, match="has to be invited"):
        set_member(actor=cast.mona.user, project=cast.other, user=fresh.user, role=Role.WORKER)
    with pytest.raises(NotPermitted, match="has to be invited"):
        set_member(actor=cast.ada.user, project=cast.ops, user=stray, role=Role.WORKER)
    User.objects.filter(pk=fresh.user_id).update(last_login="2026-01-01T00:00:00Z")
    used = User.objects.get(pk=fresh.user_id)
    with pytest.raises(NotPermitted):
        set_member(actor=cast.ada.user, project=cast.ops, user=used, role=Role.WORKER)
    User.objects.filter(pk=fresh.user_id).update(last_login=None)
    set_member(actor=cast.ada.user, project=cast.ops, user=User.objects.get(pk=fresh.user_id), role=Role.WORKER)


# -- what the inviter learns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["worker", "manager", None])
def test_answer_for_a_foreign_name_is_that_for_a_missing_one(cast, api, role):
    """A person, an LLM agent (which cannot be manager), an account without agent, and a name that nobody has."""
    make_user("ghostly")

    def answer(name: str) -> str:
        said = api.mona.patch("/projects/OTHER", {"members": [{"name": name, "role": role}]})
        text = f"{said.status_code} {said.content.decode()}"
        for row in said.json().get("invitations", []):
            text = text.replace(f'"id":{row["id"]},', "").replace(f'"invitation":{row["id"]}', "")
            text = text.replace(row["created_at"], "")
        Invitation.objects.all().delete()
        return text.replace(name, "NAME")

    # Of one length, so that none of them is nearer to a name that mona sees.
    assert len({answer(name) for name in ("hugo", "bert", "vera", "nixx")}) == 1
    assert len({answer(name) for name in ("ghostly", "nothing")}) == 1


def test_names_of_one_foreign_account_are_not_connected(cast, api):
    User.objects.filter(pk=cast.hugo.user_id).update(username="hugo@x")
    wishes = [{"name": name, "role": "worker"} for name in ("hugo", "hugo@x")]
    assert outcomes(api.mona.patch("/projects/OTHER", {"members": wishes})) == ["invited", "invited"]
    assert api.ada.patch("/projects/OPS", {"members": wishes}).status_code == 400


def test_hint_names_only_whom_the_inviter_sees(cast, api):
    wishes = {"members": [{"name": "hugoo", "role": "worker"}]}
    [change] = api.ada.patch("/projects/OPS", wishes).json()["member_changes"]
    assert change["detail"].endswith("Did you mean hugo?")
    [change] = api.mona.patch("/projects/OTHER", wishes).json()["member_changes"]
    assert "hugo?" not in change["detail"]


def test_hints_of_one_request_are_few_and_the_names_read_once(cast, api, monkeypatch):
    """A thousand unknown names once held the lock of a project of a thousand agents for more than a minute."""
    asked = []
    monkeypatch.setattr(members_module, "nearest", lambda name, known: asked.append(name))
    wishes = [{"name": f"nobody{number}", "role": None} for number in range(20)]
    with CaptureQueriesContext(connection) as captured:
        assert outcomes(api.ada.patch("/projects/OPS", {"members": wishes})) == ["not_a_member"] * 20
    assert len(asked) == members_module.MOST_HINTS
    assert sum(query["sql"].startswith('SELECT "tasks_agent"."slug"') for query in captured) == 1


def test_project_of_more_than_a_thousand_members_is_shown(cast, api):
    """SQLite refused to look that many up by the lookup of a prefetch."""
    crowd = User.objects.bulk_create([User(username=f"crowd{number}") for number in range(1001)])
    Membership.objects.bulk_create([Membership(project=cast.ops, user=user, role=Role.WORKER) for user in crowd])
    for path in ("/projects/OPS", "/projects"):
        assert "crowd1000" in api.ada.get(path).content.decode()


def test_superuser_is_told_that_a_name_is_unknown(cast, api):
    refused = api.root.patch("/projects/OPS", {"members": [{"name": "zedd", "role": "worker"}]})
    assert refused.json()["errors"] == {"members": ["There is no agent or user 'zedd'; did you mean 'zed'?"]}


# -- answering --------------------------------------------------------------------------------------------------------


def test_accept_by_the_person_joins_and_repeating_is_safe(cast, api):
    invitation = invited(cast.other, "hugo", by=cast.mona.user)
    assert [row["id"] for row in api.hugo.get("/invitations").json()["results"]] == [invitation.pk]
    for _ in range(2):
        answer = api.hugo.post(f"/invitations/{invitation.pk}/accept")
        assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    assert Membership.objects.get(project=cast.other, user=cast.hugo.user).role == Role.WORKER
    assert list(Event.objects.filter(project=cast.other).values_list("kind", flat=True).order_by("pk")) == [
        "member.invited",
        "member.joined",
    ]
    assert api.hugo.get("/invitations").json()["results"] == []
    assert api.hugo.post(f"/invitations/{invitation.pk}/decline").json()["code"] == "invitation_ended"


def test_invitation_of_an_llm_agent_is_answered_by_its_owner_alone(cast, api):
    invitation = invited(cast.other, "atlas", by=cast.mona.user)
    path = f"/invitations/{invitation.pk}/accept"
    assert api.atlas.get("/invitations").json()["results"] == []
    for stranger in (api.atlas, api.hugo, api.rita):
        assert stranger.post(path).status_code == 404
    assert api.mona.post(path).status_code == 403
    assert [row["name"] for row in api.ada.get("/invitations").json()["results"]] == ["atlas"]
    assert api.ada.post(path).status_code == 200
    assert "atlas" in members(cast.other)


def test_llm_agent_invited_as_manager_cannot_accept(cast):
    invitation = invited(cast.other, "atlas", by=cast.mona.user, role=Role.MANAGER)
    with pytest.raises(Invalid, match="worker or reviewer"):
        invitations.accept_invitation(actor=cast.ada.user, invitation=invitation)
    invitations.decline_invitation(actor=cast.ada.user, invitation=invitation)
    assert "atlas" not in members(cast.other)


def test_decline_and_withdraw_end_the_invitation(cast, api):
    invitation = invited(cast.other, "hugo", by=cast.mona.user)
    assert api.hugo.post(f"/invitations/{invitation.pk}/decline").json()["state"] == "declined"
    assert api.mona.post(f"/invitations/{invitation.pk}/withdraw").json()["code"] == "invitation_ended"
    again = invited(cast.other, "hugo", by=cast.mona.user)
    assert [row["id"] for row in api.mona.get("/projects/OTHER").json()["invitations"]] == [again.pk]
    assert api.zed.get("/projects/OTHER").json()["invitations"] == []
    assert outcomes(api.mona.patch("/projects/OTHER", {"members": [{"name": "hugo", "role": None}]})) == [
        "invitation_withdrawn"
    ]
    assert api.hugo.post(f"/invitations/{again.pk}/accept").json()["code"] == "invitation_ended"
    assert api.mona.get("/projects/OTHER").json()["invitations"] == []
    assert members(cast.other) == {"mona", "zed"}


def test_decline_tells_the_project_nothing_about_the_account(cast, api):
    """Neither its other name, nor, for an LLM agent, who answers for it."""
    User.objects.filter(pk=cast.bert.user_id).update(username="bert@x")
    invitation = invited(cast.other, "bert@x", by=cast.mona.user)
    invitations.decline_invitation(actor=cast.ada.user, invitation=invitation)
    [*_, event] = api.mona.get("/events?project=OTHER").json()["events"]
    assert (event["kind"], event["actor"], event["agent"]) == ("member.invitation_declined", None, None)
    assert event["data"] == {"member": "bert@x"}
    assert sentence(Event.objects.get(kind=event["kind"])) == "The invitation of bert@x was declined"


def test_repeated_invitation_changes_nothing_and_another_role_replaces_it(cast):
    first = invited(cast.other, "hugo", by=cast.mona.user)
    assert invited(cast.other, "hugo", by=cast.mona.user) == first
    assert Event.objects.filter(kind="member.invited").count() == 1
    second = invited(cast.other, "hugo", by=cast.mona.user, role=Role.REVIEWER)
    with pytest.raises(InvitationEnded):
        invitations.accept_invitation(actor=cast.hugo.user, invitation=first)
    invitations.accept_invitation(actor=cast.hugo.user, invitation=second)
    assert Membership.objects.get(project=cast.other, user=cast.hugo.user).role == Role.REVIEWER


def test_open_invitations_of_a_project_are_limited(cast, monkeypatch):
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    for name in ("one", "two"):
        invited(cast.other, name, by=cast.mona.user)
    with pytest.raises(Invalid, match="withdraw some first"):
        invited(cast.other, "three", by=cast.mona.user)


@pytest.mark.parametrize("lost", ["role", "membership", "account"])
def test_invitation_ends_when_its_maker_no_longer_manages_the_project(cast, api, lost):
    join(cast.other, cast.rita.user, Role.MANAGER)
    invitation = invited(cast.other, "hugo", by=cast.mona.user)
    if lost == "role":
        set_member(actor=cast.rita.user, project=cast.other, user=cast.mona.user, role=Role.WORKER)
    elif lost == "membership":
        remove_member(actor=cast.rita.user, project=cast.other, user=cast.mona.user)
    else:
        User.objects.filter(pk=cast.mona.user_id).update(is_active=False)
    assert api.hugo.get("/invitations").json()["results"] == []
    assert api.rita.get("/projects/OTHER").json()["invitations"] == []
    with pytest.raises(InvitationEnded):
        invitations.accept_invitation(actor=cast.hugo.user, invitation=invitation)
    # Another manager may invite again.
    invitations.accept_invitation(actor=cast.hugo.user, invitation=invited(cast.other, "hugo", by=cast.rita.user))


def test_limited_token_neither_shows_nor_answers_invitations(cast, api):
    """An invitation names another project, and joining it widens what its account may see."""
    invitation = invited(cast.other, "hugo", by=cast.mona.user)
    _, secret = create_token(actor=cast.ada.user, agent=cast.hugo, name="of a manager")
    client = APIClient(headers={"authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/invitations").json()["results"] == []
    assert client.post(f"/api/v1/invitations/{invitation.pk}/accept").status_code == 404
    narrow = limited(cast.hugo.user, Reach(projects=frozenset({cast.ops.pk})))
    with pytest.raises(NotPermitted, match="limited to projects"):
        invitations.accept_invitation(actor=narrow, invitation=invitation)


def test_find_invitation_is_for_those_who_answer_or_withdraw_it(cast):
    invitation = invited(cast.other, "hugo", by=cast.mona.user)
    for actor in (cast.hugo.user, cast.mona.user, cast.root):
        assert find_invitation(actor, invitation.pk) == invitation
    for actor in (cast.ada.user, cast.zed.user, cast.atlas.user):
        with pytest.raises(NotFound):
            find_invitation(actor, invitation.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(4))
def test_accept_and_withdraw_at_once_leave_one_truth(cast, seed):
    invitation = invited(cast.other, "hugo", by=cast.mona.user)
    outcomes = at_once(
        lambda: invitations.accept_invitation(actor=cast.hugo.user, invitation=invitation),
        lambda: invitations.withdraw_invitation(actor=cast.mona.user, invitation=invitation),
        seed=seed,
    )
    assert sum(isinstance(outcome, InvitationEnded) for outcome in outcomes) == 1
    invitation.refresh_from_db()
    assert ("hugo" in members(cast.other)) == (invitation.ended_as == "accepted")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(2))
def test_two_invitations_of_a_name_at_once_are_one(cast, seed):
    at_once(*(lambda: invited(cast.other, "hugo", by=cast.mona.user) for _ in range(3)), seed=seed)
    assert Invitation.objects.open().count() == 1


# -- leaving ----------------------------------------------------------------------------------------------------------


def test_manager_who_leaves_gets_an_answer(cast, api):
    join(cast.ops, cast.mona.user, Role.MANAGER)
    answer = api.ada.patch("/projects/OPS", {"members": [{"name": "ada", "role": None}]})
    assert outcomes(answer) == ["removed"]
    assert (answer.json()["key"], answer.json()["invitations"]) == ("OPS", [])
    assert api.ada.get("/projects/OPS").status_code == 404


def test_manager_hands_over_and_leaves_in_one_request_in_any_order(cast, api):
    wishes = [{"name": "ada", "role": None}, {"name": "rita", "role": "manager"}]
    assert outcomes(api.ada.patch("/projects/OPS", {"members": wishes})) == ["removed", "role_changed"]


def test_project_whose_only_manager_is_disabled_can_be_left(cast, api):
    """By members, and by agents whose owner takes them out: they cannot make anybody else a manager first."""
    Agent.objects.filter(pk=cast.bert.pk).update(owner_project=None, owner_user=cast.rita.user)
    User.objects.filter(pk=cast.ada.user_id).update(is_active=False)
    assert outcomes(api.hugo.patch("/projects/OPS", {"members": [{"name": "hugo", "role": None}]})) == ["removed"]
    assert api.rita.delete("/agents/bert/projects/OPS").status_code == 204


def test_worker_leaves_and_takes_out_nobody_else(cast, new_task, api):
    task = new_task(assignees=[cast.hugo])
    claims.claim_task(actor=cast.hugo.user, task=task)
    assert api.hugo.patch("/projects/OPS", {"members": [{"name": "bert", "role": None}]}).status_code == 403
    leave = {"members": [{"name": "hugo", "role": None}]}
    assert api.hugo.patch("/projects/OPS", leave | {"name": "x"}).status_code == 403
    assert api.atlas.patch("/projects/OPS", {"members": [{"name": "atlas", "role": None}]}).status_code == 403
    assert outcomes(api.hugo.patch("/projects/OPS", leave)) == ["removed"]
    assert not Run.objects.active().filter(agent=cast.hugo).exists()


def test_members_who_leave_together_have_all_their_runs_locked_before_any_task(cast, new_task, monkeypatch):
    """Else a removal of two deadlocks with whoever completes the second's run and locks a task of the first."""
    for agent in (cast.atlas, cast.bert):
        claims.claim_task(actor=agent.user, task=new_task())
    locked, lock_runs, lock_tasks = [], projects.lock_runs, projects.lock_tasks
    monkeypatch.setattr(projects, "lock_runs", lambda runs: locked.append(lock_runs(runs)))
    monkeypatch.setattr(projects, "lock_tasks", lambda ids: locked.append(lock_tasks(ids)))
    change_members(actor=cast.ada.user, project=cast.ops, wishes=[MemberWish(name, None) for name in ("atlas", "bert")])
    assert [len(rows) for rows in locked] == [2, 2]
    assert not Run.objects.active().exists()


def test_members_of_one_request_change_all_or_none(cast, api):
    wishes = [{"name": "rita", "role": "worker"}, {"name": "zed", "role": "worker"}, {"name": "ada", "role": None}]
    refused = api.ada.patch("/projects/OPS", {"name": "Other", "members": wishes})
    assert "without an active manager" in refused.json()["detail"]
    cast.ops.refresh_from_db()
    assert (cast.ops.name, Invitation.objects.count()) == ("Operations", 0)
    assert Membership.objects.get(project=cast.ops, user=cast.rita.user).role == Role.REVIEWER


@pytest.mark.parametrize("disabled", ["user", "agent"])
def test_disabled_account_is_not_the_manager_that_remains(cast, disabled):
    second = make_agent("second", kind=AgentKind.HUMAN)
    join(cast.ops, second.user, Role.MANAGER)
    if disabled == "user":
        User.objects.filter(pk=second.user_id).update(is_active=False)
    else:
        Agent.objects.filter(pk=second.pk).update(enabled=False)
    with pytest.raises(Invalid, match="active manager"):
        remove_member(actor=cast.ada.user, project=cast.ops, user=cast.ada.user)
    with pytest.raises(Invalid, match="active manager"):
        set_member(actor=cast.ada.user, project=cast.ops, user=cast.ada.user, role=Role.WORKER)


def test_admin_says_which_project_nobody_manages_any_more(cast):
    root = signed_in(cast.root)
    url = reverse("admin:auth_user_change", args=[cast.ada.user_id])
    form = {key: value for key, value in as_posted(root.get(url)).items() if key not in ("is_active", "password")}
    done = root.post(url, form, follow=True)
    assert "OPS has no active manager any more; make somebody a manager of it." in messages_of(done)
    assert not User.objects.get(pk=cast.ada.user_id).is_active
