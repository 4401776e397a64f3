"""Limits of a project: agents stop starting tasks while too much is in progress or waits for a review; people may."""

import threading
from unittest.mock import Mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import clock
from tasks.actions import claims, reviews, runs
from tasks.actions.projects import edit_project
from tasks.assignment.dispatcher import serve
from tasks.assignment.experience import Experience
from tasks.assignment.on_demand import auto_assign
from tasks.errors import AlreadyClaimed, AtLimit
from tasks.events.listening import listener
from tasks.matching.words import why_nobody
from tasks.models import Agent, Assignment, AssignmentDecision, Event, Priority, Project, Run
from tasks.pages.board_choices import choose
from tasks.tests.cast import join, make_agent
from tasks.tests.racing import at_once
from tasks.waiting.work import WorkRoom, read_ready


@pytest.fixture
def limit(cast):
    def set_limits(**limits):
        edit_project(actor=cast.ada.user, project=cast.ops, changes={f"limit_{k}": v for k, v in limits.items()})
        cast.ops.refresh_from_db()

    return set_limits


def _reviewed(cast, new_task):
    """A task whose result waits for a review."""
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.bert.user, task=task)
    runs.complete_run(actor=cast.bert.user, run_id=run.pk, summary="look")
    return task


def test_at_the_limit_agents_claim_nothing_and_are_told_why(cast, new_task, api, limit):
    first, second = new_task(), new_task(assignees=[cast.bert])
    limit(in_progress=1)
    run = claims.claim_task(actor=cast.atlas.user, task=first)
    refused = api.bert.post(f"/tasks/{second.ref}/claim")
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "at_limit")
    assert problem["detail"] == (
        "OPS has 1 task in progress, and agents stop starting tasks at 1; take a task of another project, or wait."
    )
    assert (problem["limited_status"], problem["count"], problem["limit"]) == ("in_progress", 1, 1)
    nothing = api.bert.post("/tasks/claim_next").json()
    assert (nothing["runs"], nothing["reason"], nothing["retry_after_seconds"]) == ([], "at_limit", 10)
    # Repeating a claim renews what one holds.
    assert api.atlas.post(f"/tasks/{first.ref}/claim").json()["id"] == str(run.pk)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="s")
    assert api.bert.post("/tasks/claim_next").json()["runs"][0]["task"]["ref"] == second.ref
    assert api.atlas.post("/tasks/claim_next").json()["reason"] == "no_ready_task"


def test_results_that_wait_for_people_keep_agents_from_new_tasks(cast, new_task, api, limit):
    limit(in_review=1)
    judged, other = _reviewed(cast, new_task), new_task()
    refused = api.atlas.post(f"/tasks/{other.ref}/claim").json()
    assert refused["detail"].startswith("OPS has 1 task in review, and agents stop starting tasks at 1;")
    assert api.atlas.post("/tasks/claim_next").json()["reason"] == "at_limit"
    reviews.approve_task(actor=cast.rita.user, task=judged)
    assert api.atlas.post(f"/tasks/{other.ref}/claim").status_code == 200


def test_several_claimed_at_once_stop_at_the_limit_and_other_projects_go_on(cast, new_task, api, limit):
    web = Project.objects.create(key="WEB", name="Website")
    join(web, cast.atlas.user, "worker")
    for _ in range(4):
        new_task()
    elsewhere = new_task(project=web)
    limit(in_progress=2)
    refs = [run["task"]["ref"] for run in api.atlas.post("/tasks/claim_next", {"limit": 5}).json()["runs"]]
    assert sorted(refs) == ["OPS-1", "OPS-2", elsewhere.ref]


@pytest.mark.parametrize("assigned", [False, True])
def test_claims_leave_no_slot_empty_for_a_project_with_little_room(cast, new_task, limit, assigned):
    web = Project.objects.create(key="WEB", name="Website")
    join(web, cast.atlas.user, "worker")
    assignees = [cast.atlas] if assigned else []
    urgent = [new_task(priority=Priority.URGENT, assignees=assignees) for _ in range(5)]
    others = [new_task(project=web, assignees=assignees) for _ in range(5)]
    limit(in_progress=1)
    claimed = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops, web], limit=5)
    assert [run.task.ref for run in claimed.runs] == [urgent[0].ref, *(task.ref for task in others[:4])]


def test_assigned_tasks_use_up_the_room_before_the_pool(cast, new_task, limit):
    pool = [new_task(priority=Priority.URGENT) for _ in range(3)]
    mine = new_task(priority=Priority.LOW, assignees=[cast.atlas])
    limit(in_progress=2)
    claimed = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops], limit=5)
    assert [run.task.ref for run in claimed.runs] == [mine.ref, pool[0].ref]


def test_assigned_tasks_that_use_up_the_room_leave_other_projects_to_pull_from(cast, new_task, limit):
    join(cast.other, cast.atlas.user, "worker")
    mine, _, elsewhere = new_task(assignees=[cast.atlas]), new_task(), new_task(project=cast.other)
    limit(in_progress=1)
    claimed = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops, cast.other], limit=2).runs
    assert [run.task.ref for run in claimed] == [mine.ref, elsewhere.ref]


def test_person_starts_beyond_the_limit_and_is_warned(client, cast, new_task, limit):
    first, second = new_task(), new_task()
    limit(in_progress=1)
    claims.claim_task(actor=cast.atlas.user, task=first)
    client.force_login(cast.hugo.user)
    page = client.post(f"/tasks/{second.ref}", {"verb": "start"}, follow=True).content.decode()
    assert "OPS now has 2 in progress, over its limit of 1." in page


def test_claim_in_a_project_without_limits_costs_no_query_for_them(cast, new_task, limit):
    def cost():
        task = new_task()
        with CaptureQueriesContext(connection) as queries:
            claims.claim_task(actor=cast.atlas.user, task=task)
        return len(queries)

    cost()
    free = cost()
    limit(in_progress=50)
    assert cost() == free + 2


def test_offers_stop_at_the_limit_and_the_record_says_why(cast, new_task, limit):
    Agent.objects.filter(kind="llm").update(last_seen_at=clock.now())
    edit_project(actor=cast.ada.user, project=cast.ops, changes={"mode": "auto"})
    tasks = [new_task() for _ in range(4)]
    limit(in_progress=2)
    assert len(serve([cast.ops], Experience()).decisions) == 2
    assert len(serve([cast.ops], Experience()).decisions) == 0
    waiting = next(task for task in tasks if not task.assignments.exists())
    decision = auto_assign(actor=cast.ada.user, task=waiting)
    assert decision.agent is None
    assert all("at_limit" in row["excluded_by"] for row in decision.candidates)
    assert Assignment.objects.active().count() == 2


def test_offers_at_a_limit_go_to_urgent_work_whoever_is_served_first(cast, new_task, limit):
    Agent.objects.filter(kind="llm").update(last_seen_at=clock.now())
    edit_project(actor=cast.ada.user, project=cast.ops, changes={"mode": "auto"})
    only_atlas, only_bert = [("python", 1)], [("docs", 3)]
    first = new_task(priority=Priority.URGENT, required_skills=only_atlas)
    second = new_task(priority=Priority.URGENT, required_skills=only_bert)
    low = new_task(priority=Priority.LOW, required_skills=only_atlas)
    limit(in_progress=2)
    served = serve([cast.ops], Experience())
    assert {decision.task_id for decision in served.decisions} == {first.pk, second.pk}
    assert served.missed == 0
    waits = AssignmentDecision.objects.get(task=low)
    assert waits.agent is None
    assert "while the project is at its limit" in why_nobody(waits.candidates, waits.others)


def test_slots_that_a_limit_leaves_free_go_to_other_projects_at_once(cast, new_task, limit):
    Agent.objects.filter(pk=cast.atlas.pk).update(last_seen_at=clock.now(), max_concurrent=2)
    web = Project.objects.create(key="WEB", name="Website", mode="auto")
    join(web, cast.atlas.user, "worker")
    edit_project(actor=cast.ada.user, project=cast.ops, changes={"mode": "auto"})
    urgent = [new_task(priority=Priority.URGENT, required_skills=[("python", 1)]) for _ in range(3)]
    elsewhere = new_task(project=web)
    limit(in_progress=1)
    served = serve([cast.ops, web], Experience())
    assert {decision.task_id for decision in served.decisions} == {urgent[0].pk, elsewhere.pk}


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_moment_never_exceed_the_limit(cast, new_task, limit):
    limit(in_progress=2)
    agents = [make_agent(f"racer-{number}") for number in range(6)]
    for agent in agents:
        join(cast.ops, agent.user, "worker")
    tasks = [new_task() for _ in agents]
    refused: list[str] = []

    def claim(agent, task, directly):
        try:
            if directly:
                claims.claim_task(actor=agent.user, task=task)
            elif claims.claim_next(actor=agent.user, projects=[cast.ops]).reason:
                refused.append("at_limit")
        except (AtLimit, AlreadyClaimed) as error:
            refused.append(error.code)

    assert at_once(*(lambda n=n: claim(agents[n], tasks[n], n % 2) for n in range(len(agents)))) == [None] * 6
    assert (Run.objects.active().count(), len(refused)) == (2, 4)


def test_waiting_agents_are_woken_when_the_number_falls(cast, new_task, limit, monkeypatch):
    first, second = new_task(), new_task()
    limit(in_progress=1)
    run = claims.claim_task(actor=cast.atlas.user, task=first)
    assert read_ready([second.pk], [cast.ops.pk]) == []
    room = WorkRoom()
    # Neither its thread nor that of the news: the test says what happened.
    monkeypatch.setattr(room, "_start", lambda: None)
    monkeypatch.setattr(listener, "subscribe", lambda *_, **__: Mock())
    woken = threading.Event()
    seat = room.seat(agent=cast.bert, projects=[cast.ops], limit=1)
    room.sit(seat, woken.set)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="s")
    room._concern(Event.objects.get(kind="task.status_changed", data__verb="complete"), [seat])
    room._look_at_freed()
    room._look()
    assert woken.is_set()


def test_limits_are_set_at_every_door(client, cast, api, new_task, limit):
    shown = api.ada.patch("/projects/OPS", {"limit_in_progress": 3, "limit_in_review": 5}).json()
    assert (shown["limit_in_progress"], shown["limit_in_review"]) == (3, 5)
    assert api.ada.patch("/projects/OPS", {"limit_in_progress": 0}).status_code == 400
    assert api.ada.patch("/projects/OPS", {"limit_in_progress": None}).json()["limit_in_progress"] is None
    assert api.hugo.patch("/projects/OPS", {"limit_in_review": 1}).status_code == 403
    client.force_login(cast.ada.user)
    where = "/board/OPS/limit"
    said = client.post(where, {"status": "in_review", "limit_in_review": "1"}, follow=True).content.decode()
    assert "In review of OPS: agents stop starting tasks at 1." in said
    for wrong in ("-2", "0", "x", "1.5", "9" * 30):
        answer = client.post(where, {"status": "in_review", "limit_in_review": wrong}, follow=True)
        assert "notice-error" in answer.content.decode(), wrong
    assert "notice-error" in client.post(where, {"status": "failed"}, follow=True).content.decode()
    assert client.post("/board/OTHER/limit", {"status": "in_review"}).status_code == 404
    cast.ops.refresh_from_db()
    assert cast.ops.limits == {"in_review": 1}
    client.force_login(cast.hugo.user)
    assert "may change its rules" in client.post(where, {"status": "in_review"}, follow=True).content.decode()


def test_board_of_a_project_shows_its_limits_and_who_may_sets_them(client, cast, new_task, limit):
    for _ in range(2):
        _reviewed(cast, new_task)
    limit(in_review=1)
    choose(cast.vera, "unfold:in_review")
    client.force_login(cast.vera)
    page = " ".join(client.get("/?project=OPS").content.decode().split())
    assert "2 / 1" in page
    assert "over its limit; agents start no new tasks" in page
    assert "Set the limit" not in page
    # The limit counts all tasks, whatever the filters show.
    other = new_task("Something else")
    filtered = client.get("/?project=OPS&q=something")
    assert "2 / 1" in " ".join(filtered.content.decode().split())
    assert other.ref in filtered.content.decode()
    client.force_login(cast.ada.user)
    assert "Set the limit" in client.get("/?project=OPS").content.decode()
    assert "2 / 1" not in client.get("/").content.decode()
