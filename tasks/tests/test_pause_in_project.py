"""A manager pauses an agent in their project: it takes no work there, keeps what it has, and works on elsewhere."""

import pytest

from tasks import clock
from tasks.actions import claims
from tasks.actions.members import KEPT, MemberWish, change_members, pause_member
from tasks.assignment.on_demand import auto_assign
from tasks.errors import Invalid, NotPermitted, PausedInProject
from tasks.models import Agent, Availability, Event, Membership, Role, Run
from tasks.tests.admin_pages import messages_of, signed_in
from tasks.tests.cast import join
from tasks.waiting.work import AGENT_KINDS


@pytest.fixture
def paused(cast):
    """zed, which OTHER owns, works in OPS too, where ada pauses it."""
    join(cast.ops, cast.zed.user, Role.WORKER)
    pause_member(actor=cast.ada.user, project=cast.ops, agent=cast.zed, paused=True)
    return cast.zed


def test_paused_agent_claims_nothing_there_and_works_elsewhere(cast, new_task, paused, api):
    here = new_task(assignees=[paused])
    new_task()
    elsewhere = new_task(project=cast.other, actor=cast.mona.user)
    refused = api.zed.post(f"/tasks/{here.ref}/claim", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "paused")
    assert api.zed.post("/tasks/claim_next", {"projects": ["OPS"]}).json()["reason"] == "paused"
    runs = api.zed.post("/tasks/claim_next", {"limit": 5}).json()["runs"]
    assert [run["task"]["ref"] for run in runs] == [elsewhere.ref]
    pause_member(actor=cast.ada.user, project=cast.ops, agent=paused, paused=False)
    assert api.zed.post(f"/tasks/{here.ref}/claim", {}).status_code == 200


def test_paused_agent_keeps_the_run_that_it_holds(cast, new_task, api):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    pause_member(actor=cast.ada.user, project=cast.ops, agent=cast.atlas, paused=True)
    assert claims.claim_task(actor=cast.atlas.user, task=run.task).pk == run.pk
    assert api.atlas.post(f"/runs/{run.pk}/heartbeat", {}).status_code == 200
    assert api.atlas.post(f"/runs/{run.pk}/complete", {"summary": "done"}).status_code == 200


def test_person_who_is_paused_does_not_start_and_is_started_by_a_manager(cast, new_task):
    task = new_task()
    pause_member(actor=cast.ada.user, project=cast.ops, agent=cast.hugo, paused=True)
    with pytest.raises(PausedInProject, match="hugo is paused in OPS"):
        claims.start_task(actor=cast.hugo.user, task=task)
    claims.start_task(actor=cast.ada.user, task=task, agent=cast.hugo)
    assert Run.objects.active().filter(agent=cast.hugo).exists()


def test_paused_agent_is_offered_nothing_and_the_explanation_says_why(cast, new_task, api):
    Agent.objects.filter(kind="llm").update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    pause_member(actor=cast.ada.user, project=cast.ops, agent=cast.atlas, paused=True)
    for _ in range(3):
        task = new_task()
        auto_assign(actor=cast.ada.user, task=task)
        assert [row.agent for row in task.assignments.active()] in ([cast.bert], [])
    candidates = api.ada.get(f"/tasks/{new_task().ref}/candidates").json()["candidates"]
    [row] = [row for row in candidates if row["agent"] == "atlas"]
    assert row["excluded_by"] == ["paused_in_project"]
    assert "is paused in the project" in row["words"]
    # Staff assign it nevertheless, as with an agent that is paused everywhere.
    assert api.ada.post(f"/tasks/{task.ref}/assign", {"agents": ["atlas"]}).status_code == 200


def test_pause_is_for_managers_of_the_project_and_shown_to_its_members(cast, paused, api):
    [row] = [row for row in api.vera.get("/projects/OPS").json()["members"] if row["name"] == "zed"]
    assert row["paused_at"] is not None
    [row] = [row for row in api.mona.get("/projects/OTHER").json()["members"] if row["name"] == "zed"]
    assert row["paused_at"] is None
    for actor in (cast.zed.user, cast.hugo.user, cast.mona.user):
        with pytest.raises(NotPermitted):
            pause_member(actor=actor, project=cast.ops, agent=cast.zed, paused=False)
    assert Agent.objects.get(pk=cast.zed.pk).availability == Availability.AVAILABLE


def test_pause_through_the_api_says_what_was_done_and_repeating_changes_nothing(cast, api):
    def patch(**member) -> list[str]:
        answer = api.ada.patch("/projects/OPS", {"members": [{"name": "atlas", **member}]})
        assert answer.status_code == 200, answer.json()
        return [change["outcome"] for change in answer.json()["member_changes"]]

    assert patch(paused=True) == ["paused"]
    assert patch(paused=True) == ["unchanged"]
    assert patch(role="reviewer", paused=False) == ["resumed"]
    assert Membership.objects.get(project=cast.ops, user=cast.atlas.user).role == Role.REVIEWER
    kinds = list(Event.objects.filter(kind__startswith="member.").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["member.paused", "member.role_changed", "member.resumed"]
    assert api.ada.patch("/projects/OPS", {"members": [{"name": "atlas"}]}).status_code == 400


@pytest.mark.parametrize("name", ["zed", "mona", "nobody-here"])
def test_pause_of_who_is_no_member_is_refused_alike(cast, name):
    with pytest.raises(Invalid, match=f"{name} is not a member of OPS"):
        change_members(actor=cast.ada.user, project=cast.ops, wishes=[MemberWish(name, KEPT, paused=True)])


def test_member_who_is_no_agent_cannot_be_paused(cast):
    with pytest.raises(Invalid, match="vera is not an agent"):
        change_members(actor=cast.ada.user, project=cast.ops, wishes=[MemberWish("vera", KEPT, paused=True)])


def test_pause_and_its_end_let_a_waiting_agent_look_again():
    assert {"member.paused", "member.resumed"} <= AGENT_KINDS


def test_admin_pauses_members_in_their_projects(cast):
    ada = signed_in(cast.ada.user)
    url = "/admin/tasks/membership/"
    rows = Membership.objects.filter(user__in=[cast.atlas.user, cast.vera], project=cast.ops)
    done = ada.post(url, {"action": "pause", "_selected_action": [row.pk for row in rows]}, follow=True)
    assert sorted(messages_of(done)) == [
        "atlas takes no more work here.",
        "members: vera is not an agent and is given no work.",
    ]
    assert "Paused" in ada.get(url).content.decode()
    done = ada.post(url, {"action": "resume", "_selected_action": [row.pk for row in rows]}, follow=True)
    assert "atlas takes work here again." in messages_of(done)


# -- the agent's page -------------------------------------------------------------------------------------------------


def press(client, slug: str, do: str, project: str):
    return client.post(f"/agents/{slug}/projects", {"do": do, "project": project}, follow=True)


def test_manager_pauses_and_removes_an_agent_on_its_page(cast, paused):
    ada = signed_in(cast.ada.user)
    assert "Paused here" in ada.get("/agents/zed").content.decode()
    assert "Paused in OPS" in ada.get("/agents/").content.decode()
    assert messages_of(press(ada, "zed", "resume", "OPS")) == ["zed takes work in OPS again."]
    assert messages_of(press(ada, "zed", "pause", "OPS")) == ["zed takes no more work in OPS."]
    # Of the other project it learns nothing, and may do nothing there.
    assert "OTHER" not in ada.get("/agents/zed").content.decode()
    assert press(ada, "zed", "remove", "OTHER").status_code == 404
    assert messages_of(press(ada, "zed", "remove", "OPS")) == ["zed is no longer in OPS."]
    assert not Membership.objects.filter(project=cast.ops, user=cast.zed.user).exists()


def test_owner_takes_their_agent_out_of_a_project_that_they_do_not_see(cast, paused):
    mona = signed_in(cast.mona.user)
    assert "OPS" in mona.get("/agents/zed").content.decode()
    [refused] = messages_of(press(mona, "zed", "resume", "OPS"))
    assert refused == "Only a manager of OPS may change its members."
    assert messages_of(press(mona, "zed", "remove", "OPS")) == ["zed is no longer in OPS."]


def test_others_see_the_projects_and_no_buttons(cast, paused):
    hugo = signed_in(cast.hugo.user)
    page = hugo.get("/agents/zed").content.decode()
    assert "Paused here" in page
    assert 'name="do"' not in page
    [refused] = messages_of(press(hugo, "zed", "pause", "OPS"))
    assert refused == "Only a manager of OPS may change its members."
    assert messages_of(press(hugo, "zed", "expel", "OPS")) == ["do: There is no such button."]


def test_owner_takes_their_agent_out_through_the_api(cast, paused, api):
    def projects(who) -> list[str]:
        return sorted(row["project"] for row in who.get("/agents/zed/projects").json()["results"])

    assert (projects(api.mona), projects(api.ada)) == (["OPS", "OTHER"], ["OPS"])
    assert api.hugo.delete("/agents/zed/projects/OPS").status_code == 403
    assert api.ada.delete("/agents/zed/projects/OTHER").status_code == 404
    assert api.mona.delete("/agents/zed/projects/OPS").status_code == 204
    assert projects(api.mona) == ["OTHER"]
