"""Reports about agents and people against numbers counted by hand; and what each says after a deletion."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from reports.tests.conftest import utc
from tasks.actions import (
    agents,
    assignments,
    claims,
    dependencies,
    lifecycle,
    offering,
    projects,
    questions,
    reviews,
    runs,
    tasks,
)
from tasks.models import (
    Agent,
    AssignmentDecision,
    AssignmentStep,
    DecisionMode,
    Question,
    Role,
    StatusInterval,
    Task,
)
from tasks.transitions import Status

pytestmark = pytest.mark.django_db

JANUARY = "from=2026-01-01&to=2026-02-01&tz=UTC"


def rows_of(answer: dict, name: str, *columns: str) -> dict:
    return {row[name]: tuple(row[column] for column in columns) for row in answer["rows"]}


def figures_of(answer: dict) -> dict:
    return {figure["name"]: figure["value"] for figure in answer["figures"]}


def test_utilisation_counts_people_within_their_working_hours(cast, ask, new_task, set_clock):
    set_clock("2026-01-01 00:00")
    changes = {"working_hours": "Mon-Fri 09:00-17:00", "time_zone": "UTC", "max_concurrent": 2}
    agents.edit_agent(actor=cast.root, agent=cast.hugo, changes=changes)
    set_clock("2026-01-05 16:00")
    run = claims.start_task(actor=cast.hugo.user, task=new_task())
    set_clock("2026-01-06 10:00")
    runs.complete_run(actor=cast.hugo.user, run_id=run.pk, summary="done")
    answer = ask("utilisation", "from=2026-01-05&to=2026-01-07&tz=UTC")
    row = rows_of(
        answer, "agent", "worked_seconds", "could_seconds", "capacity_seconds", "utilisation", "outside_seconds"
    )
    # An hour on Monday and one on Tuesday, of two days of eight hours, with room for two tasks; sixteen hours between.
    assert row["hugo"] == (7_200.0, 57_600.0, 115_200.0, 6.25, 57_600.0)


def test_utilisation_of_many_agents_with_working_hours_takes_no_more_queries(cast, ask, set_clock):
    set_clock("2026-01-01 00:00")
    run = {"began_at": utc("2026-01-05 16:00"), "ended_at": utc("2026-01-06 10:00"), "status": Status.IN_PROGRESS}

    def add(slugs: list[str]) -> None:
        for slug in slugs:
            agent = agents.create_agent(actor=cast.root, slug=slug)
            agent.working_hours, agent.time_zone = "Mon-Fri 09:00-17:00", "UTC"
            agent.save()
            projects.set_member(actor=cast.root, project=cast.ops, user=agent.user, role=Role.WORKER)
            StatusInterval.objects.create(project=cast.ops, agent=agent, episode=1, run_number=1, **run)

    def queries(slugs: list[str]) -> int:
        with CaptureQueriesContext(connection) as asked:
            answer = ask("utilisation", "from=2026-01-05&to=2027-01-05&tz=UTC", now="2027-02-01 00:00")
        worked = rows_of(answer, "agent", "worked_seconds", "outside_seconds")
        assert {slug: worked[slug] for slug in slugs} == dict.fromkeys(slugs, (7_200.0, 57_600.0))
        return len(asked)

    slugs = [f"worker-{number}" for number in range(30)]
    add(slugs[:3])
    few = queries(slugs[:3])
    add(slugs[3:])
    assert queries(slugs) == few


def test_utilisation_of_an_agent_in_two_projects_shows_what_it_did_in_the_readers(
    cast, ask, new_task, do_task, set_clock
):
    set_clock("2025-12-31 00:00")
    projects.set_member(actor=cast.root, project=cast.other, user=cast.atlas.user, role=Role.WORKER)
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    set_clock("2026-01-03 08:00")
    run = claims.claim_task(actor=cast.atlas.user, task=new_task(project=cast.other), lease_seconds=14_400)
    set_clock("2026-01-03 10:00")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    for slug, column in (("utilisation", "worked_seconds"), ("workload", "worked_seconds")):
        assert rows_of(ask(slug, JANUARY), "agent", column)["atlas"] == (3_600.0,)
        assert rows_of(ask(slug, JANUARY, user=cast.mona.user), "agent", column)["atlas"] == (7_200.0,)
        assert rows_of(ask(slug, JANUARY, user=cast.root), "agent", column)["atlas"] == (10_800.0,)


def test_reports_keep_an_agent_that_left_the_project(cast, ask, do_task, set_clock):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    set_clock("2026-01-16 12:00")
    projects.remove_member(actor=cast.ada.user, project=cast.ops, user=cast.atlas.user)
    assert rows_of(ask("workload", JANUARY), "agent", "completed")["atlas"] == (1,)
    could = rows_of(ask("utilisation", JANUARY), "agent", "could_seconds")
    assert (could["atlas"], could["bert"]) == ((15.5 * 86_400,), (31 * 86_400.0,))
    february = "from=2026-02-01&to=2026-03-01"
    assert "atlas" not in rows_of(ask("workload", february), "agent")


def test_cost_by_label_and_project_count_a_task_once_in_total(cast, ask, new_task, set_clock):
    set_clock("2026-01-05 08:00")
    for labels, project in ((["bug", "ui"], None), (["bug"], None), ([], None), ([], cast.other)):
        task = new_task(labels=labels, project=project)
        who = cast.atlas.user if project is None else cast.zed.user
        run = claims.claim_task(actor=who, task=task)
        used = {"input_tokens": 100, "output_tokens": 10, "cost": 0.5}
        runs.complete_run(actor=who, run_id=run.pk, summary="done", usage=used)
    by_label = ask("cost_by_label", JANUARY)
    columns = ("runs", "cost", "accepted", "cost_per_accepted")
    assert rows_of(by_label, "label", *columns) == {
        "bug": (2, Decimal(1), 2, Decimal("0.5")),
        "ui": (1, Decimal("0.5"), 1, Decimal("0.5")),
        None: (1, Decimal("0.5"), 1, Decimal("0.5")),
    }
    assert [by_label["total"][name] for name in columns] == [3, Decimal("1.5"), 3, Decimal("0.5")]
    assert rows_of(ask("cost_by_project", JANUARY, user=cast.root), "project", "runs", "input_tokens") == {
        "OPS": (3, 300),
        "OTHER": (1, 100),
    }
    assert set(rows_of(ask("cost_by_project", JANUARY), "project")) == {"OPS"}


def test_people_load_counts_answers_and_reviews_with_the_time_they_took(cast, ask, new_task, set_clock):
    set_clock("2026-01-05 08:00")
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task, lease_seconds=14_400)
    questions.ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?")
    questions.ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="To Hugo", to="hugo")
    set_clock("2026-01-05 08:30")
    questions.answer_question(actor=cast.ada.user, question_id=Question.objects.get(prompt="Which?").pk, value="This")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    set_clock("2026-01-05 10:30")
    reviews.approve_task(actor=cast.rita.user, task=task)
    set_clock("2026-01-06 08:00")
    other = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=other)
    questions.ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Anyone?")
    answer = ask("people_load", JANUARY, now="2026-01-06 09:00")
    columns = ("open_questions", "answers", "answer_p50_seconds", "reviews", "review_max_seconds")
    open_to_hugo = Question.objects.filter(prompt="To Hugo", ended_at=None).count()
    expected = {
        "ada": (0, 1, 1_800.0, 0, None),
        "rita": (0, 0, None, 1, 7_200.0),
        None: (1, 0, None, 0, None),
    }
    assert rows_of(answer, "person", *columns) == expected | ({"hugo": (1, 0, None, 0, None)} if open_to_hugo else {})
    now = figures_of(answer)
    assert (now["questions_waiting"], now["reviews_waiting"]) == (1 + open_to_hugo, 0)
    set_clock("2026-02-02 00:00")
    tasks.delete_task(actor=cast.ada.user, task=task)
    total = ask("people_load", JANUARY)["total"]
    assert (total["answers"], total["reviews"], total["review_max_seconds"]) == (1, 1, 7_200.0)


def test_assignment_counts_offers_with_their_margins_and_how_they_ended(cast, ask, new_task, set_clock):
    at = set_clock("2026-01-05 08:00")
    Agent.objects.filter(pk=cast.atlas.pk).update(max_concurrent=9)
    offered = [new_task(), new_task(), new_task()]
    for task, score, margin in zip(offered, (2.0, 4.0, 3.0), (0.25, -0.75, None), strict=True):
        decision = AssignmentDecision(
            task=task, at=at, mode=DecisionMode.AUTO, policy="value", policy_version="1", score=score, margin=margin
        )
        made = offering.Offer(task.project, task.pk, task.version, at + timedelta(hours=1), decision)
        offering.offer_tasks(actor=None, agent=cast.atlas.pk, offers=[made])
    task = new_task()
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.atlas, cast.bert])
    offering.decline_task(actor=cast.bert.user, task=task, reason="Too much")
    claims.claim_task(actor=cast.bert.user, task=new_task())
    answer = ask("assignment", JANUARY)
    columns = ("offers", "lapsed", "declined", "score_p50", "margin_p50", "margin_n", "by_hand", "pulled")
    assert rows_of(answer, "agent", *columns) == {
        "atlas": (3, 0, 0, 3.0, -0.25, 2, 1, 0),
        "bert": (0, 0, 1, None, None, 0, 1, 1),
    }
    assert tuple(answer["total"][name] for name in columns) == (3, 0, 1, 3.0, -0.25, 2, 2, 1)
    # What happens later belongs to later.
    set_clock("2026-02-02 08:00")
    assignments.assign_task(actor=cast.ada.user, task=offered[0], agents=[cast.atlas])
    offering.lapse_offers()
    for each in Task.objects.exclude(status="in_progress"):
        tasks.delete_task(actor=cast.ada.user, task=each)
    later = ask("assignment", JANUARY)
    assert (later["rows"], later["total"]) == (answer["rows"], answer["total"])


def test_assignment_counts_deleted_agents_together(cast, ask, new_task, set_clock):
    set_clock("2026-01-05 08:00")
    assignments.assign_task(actor=cast.ada.user, task=new_task(), agents=[cast.atlas, cast.bert])
    claims.claim_task(actor=cast.bert.user, task=new_task())
    for model in (AssignmentStep, StatusInterval):
        model.objects.filter(agent__isnull=False).update(agent_id=F("agent_id") + 1_000_000)
    answer = ask("assignment", JANUARY)
    assert rows_of(answer, "name", "by_hand", "pulled") == {"Deleted agents": (2, 1)}


def test_top_blockers_are_those_that_hold_up_the_most_and_since_when(cast, ask, new_task, set_clock):
    set_clock("2026-01-05 08:00")
    first, second = new_task("First"), new_task("Second")
    both, last = new_task(depends_on=[first, second]), new_task()
    child = new_task("Child", parent=last)
    set_clock("2026-01-06 08:00")
    dependencies.add_dependencies(actor=cast.ada.user, task=last, depends_on=[both])
    lifecycle.cancel_task(actor=cast.ada.user, task=second)
    answer = ask("top_blockers", JANUARY, now="2026-01-07 08:00")
    columns = ("direct", "in_all", "status", "waits_for")
    assert rows_of(answer, "task", *columns) == {
        first.ref: (1, 2, "not_started", 0),
        second.ref: (1, 2, "cancelled", 0),
        both.ref: (1, 1, "not_started", 2),
        child.ref: (1, 1, "not_started", 0),
    }
    assert (answer["total"]["direct"], answer["total"]["in_all"]) == (2, 2)
    assert [row["task"] for row in answer["rows"]] == [first.ref, second.ref, both.ref, child.ref]
    assert rows_of(ask("top_blockers", JANUARY, user=cast.mona.user), "task") == {}


def test_due_performance_takes_the_due_date_as_it_was_at_completion(cast, ask, do_task, new_task, set_clock):
    late = do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00", due_at=utc("2026-01-02 09:00"))
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00", due_at=utc("2026-01-02 10:00"))
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    now = set_clock("2026-01-05 08:00")
    new_task(due_at=now + timedelta(hours=1))
    columns = ("completed", "with_due_date", "on_time", "late", "on_time_share", "late_max_seconds")
    answer = ask("due_performance", JANUARY, now="2026-01-05 11:00")
    assert [answer["total"][name] for name in columns] == [3, 2, 1, 1, 50.0, 3_600.0]
    assert figures_of(answer)["overdue_now"] == 1
    assert figures_of(answer)["overdue_max_seconds"] == 7_200.0
    set_clock("2026-02-02 08:00")
    lifecycle.reopen_task(actor=cast.ada.user, task=late)
    tasks.edit_task(actor=cast.ada.user, task=late, changes={"due_at": utc("2026-03-01 00:00")})
    assert [ask("due_performance", JANUARY)["total"][name] for name in columns] == [3, 2, 1, 1, 50.0, 3_600.0]
