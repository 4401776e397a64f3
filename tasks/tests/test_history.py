"""The history of a task: its intervals and episodes, as verbs and imports write them."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.actions import assignments, claims, dependencies, lifecycle, passing_time, reviews, runs
from tasks.actions.imports import import_plan
from tasks.actions.questions import answer_question, ask_run
from tasks.actions.tasks import delete_task, edit_task, hold_task
from tasks.events import recording
from tasks.formats import json_list
from tasks.history.keeping import keep
from tasks.models import (
    Agent,
    AskedQuestion,
    Episode,
    LabelOfSet,
    LabelSet,
    Priority,
    Run,
    StatusInterval,
    Task,
)
from tasks.tests.fake_clock import fake_clock
from tasks.tests.history_recount import assert_history

pytestmark = pytest.mark.django_db

__all__ = ["fake_clock"]  # a fixture, used by name


@pytest.fixture(autouse=True)
def _history_is_what_the_events_say(db):
    """Whatever a test has done, in the end the rows equal a rebuild and a recount."""
    yield
    assert_history()


@pytest.fixture
def minutes(fake_clock):
    """Lets time pass, and says how many minutes after the start a moment is."""

    class Minutes:
        start = fake_clock.time

        def later(self, count):
            fake_clock.let_pass(60 * count)

        def of(self, at):
            return None if at is None else round((at - self.start).total_seconds() / 60, 3)

    return Minutes()


def intervals(task, minutes):
    """``(status, reason, began, ended)`` of each interval of ``task``, in minutes after the start."""
    rows = StatusInterval.objects.filter(task=task.pk).order_by("id")
    return [(row.status, row.reason, minutes.of(row.began_at), minutes.of(row.ended_at)) for row in rows]


def episodes(task):
    return list(Episode.objects.filter(task=task.pk).order_by("number"))


def claim(agent, task):
    return claims.claim_task(actor=agent.user, task=task)


def test_life_of_a_task_becomes_intervals_and_an_episode(cast, new_task, minutes):
    Agent.objects.filter(pk=cast.atlas.pk).update(version="m-2")
    task = new_task(review_required=True, priority=Priority.HIGH, estimate_minutes=30)
    minutes.later(5)
    run = claim(Agent.objects.get(pk=cast.atlas.pk), task)
    minutes.later(10)
    asked = ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?", park=True).questions[0]
    minutes.later(3)
    answer_question(actor=cast.ada.user, question_id=asked.pk, value="This")
    minutes.later(1)
    run = claim(cast.atlas, task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=50, usage={"input_tokens": 7, "cost": 0.25})
    minutes.later(20)
    usage = {"input_tokens": 3, "output_tokens": 2, "cost": 0.5}
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done", usage=usage)
    minutes.later(2)
    reviews.request_changes(actor=cast.rita.user, task=task, note="Shorter")
    run = claim(cast.atlas, task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done")
    minutes.later(4)
    reviews.approve_task(actor=cast.rita.user, task=task)
    assert intervals(task, minutes) == [
        ("not_started", "no_agent", 0, 5),
        ("in_progress", "", 5, 15),
        ("waiting", "answer", 15, 18),
        ("not_started", "no_agent", 18, 19),
        ("in_progress", "", 19, 39),
        ("in_review", "review", 39, 41),
        ("not_started", "no_agent", 41, 41),
        ("in_progress", "", 41, 41),
        ("in_review", "review", 41, 45),
    ]
    work = StatusInterval.objects.filter(task=task.pk, status="in_progress").order_by("id")
    assert [(row.run_number, row.outcome, row.version) for row in work] == [
        (1, "parked", "m-2"),
        (2, "completed", "m-2"),
        (3, "completed", "m-2"),
    ]
    assert (work[1].input_tokens, work[1].output_tokens, work[1].cost) == (10, 2, Decimal("0.75"))
    [episode] = episodes(task)
    assert (episode.end, episode.ended_from, episode.credit, episode.agent_id) == (
        "completed",
        "here",
        "agent",
        cast.atlas.pk,
    )
    times = (episode.entered_at, episode.started_at, episode.ended_at)
    assert [minutes.of(at) for at in times] == [0, 5, 45]
    assert (episode.runs, episode.failed_runs, episode.changes_requested) == (3, 0, 1)
    assert (episode.worked_seconds, episode.input_tokens, episode.cost) == (1800.0, 10, Decimal("0.75"))
    assert (episode.priority, episode.estimate_minutes, episode.due_at) == (Priority.HIGH, 30, None)


def test_reopened_task_begins_an_episode_and_leaves_the_former_as_it_was(cast, new_task, minutes):
    task = new_task()
    run = claim(cast.atlas, task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done")
    edit_task(actor=cast.ada.user, task=task, changes={"priority": Priority.URGENT})
    minutes.later(9)
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    first, second = episodes(task)
    assert (first.end, first.priority, first.is_reopened) == ("completed", Priority.NORMAL, False)
    assert (second.end, second.priority, second.is_reopened) == ("", Priority.URGENT, True)
    assert (minutes.of(second.entered_at), second.started_at) == (9, None)
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    assert [(e.end, e.is_reopened) for e in episodes(task)[1:]] == [("cancelled", True), ("", False)]


def test_waiting_has_the_first_reason_that_applies(cast, new_task, minutes, fake_clock):
    first = new_task()
    task = new_task(depends_on=[first], start_after=fake_clock.time + timedelta(minutes=30))
    minutes.later(1)
    hold_task(actor=cast.ada.user, task=task)
    minutes.later(1)
    dependencies.remove_dependencies(actor=cast.ada.user, task=task, depends_on=[first])
    minutes.later(1)
    edit_task(actor=cast.ada.user, task=task, changes={"on_hold": False, "title": "Other"})
    edit_task(actor=cast.ada.user, task=task, changes={"title": "Again"})
    minutes.later(37)
    passing_time.wake_deferred()
    minutes.later(1)
    assert intervals(task, minutes) == [
        ("not_started", "dependency", 0, 2),
        ("not_started", "on_hold", 2, 3),
        ("not_started", "deferred", 3, 40),
        ("not_started", "no_agent", 40, None),
    ]


def test_failures_and_lost_runs_are_kept_with_their_outcome(cast, new_task, minutes):
    task = new_task(max_attempts=2)
    run = claim(cast.atlas, task)
    minutes.later(1)
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="no_disk", detail="Full", usage={"output_tokens": 4})
    Task.objects.filter(pk=task.pk).update(deferred_until=None)
    run = claim(cast.atlas, task)
    assignments.unassign_task(actor=cast.ada.user, task=task)
    run = claim(cast.bert, task)
    minutes.later(60)
    assert passing_time.expire_run(run=Run.objects.get(pk=run.pk))
    Task.objects.filter(pk=task.pk).update(deferred_until=None)
    run = claim(cast.bert, task)
    runs.fail_run(actor=cast.bert.user, run_id=run.pk, code="no_disk", detail="Full")
    work = StatusInterval.objects.filter(task=task.pk, status="in_progress").order_by("id")
    assert [(row.outcome, row.code, row.agent_id) for row in work] == [
        ("failed", "no_disk", cast.atlas.pk),
        ("revoked", "", cast.atlas.pk),
        ("expired", "", cast.bert.pk),
        ("failed", "no_disk", cast.bert.pk),
    ]
    [episode] = episodes(task)
    assert (episode.end, episode.runs, episode.failed_runs, episode.output_tokens) == ("failed", 4, 2, 4)
    assert episode.credit == ""


def test_late_result_of_a_failed_task_continues_its_way(cast, new_task, minutes):
    task = new_task()
    minutes.later(1)
    Task.objects.filter(pk=task.pk).update(lease_losses=4)
    run = claim(cast.atlas, task)
    minutes.later(60)
    passing_time.expire_run(run=Run.objects.get(pk=run.pk))
    with pytest.raises(Exception, match="expired"):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done")
    minutes.later(1)
    reviews.adopt_late_result(actor=cast.ada.user, run=Run.objects.get(pk=run.pk))
    first, second = episodes(task)
    assert (first.end, second.end, second.is_reopened, second.credit) == ("failed", "completed", False, "agent")
    assert [minutes.of(at) for at in (second.entered_at, second.started_at, second.ended_at)] == [0, 1, 62]


def test_deleted_task_leaves_its_history(cast, new_task, minutes):
    task = new_task()
    pk = task.pk
    minutes.later(1)
    delete_task(actor=cast.ada.user, task=task)
    [episode] = Episode.objects.filter(task=pk)
    [interval] = StatusInterval.objects.filter(task=pk)
    assert (episode.end, minutes.of(episode.ended_at), minutes.of(interval.ended_at)) == ("deleted", 1, 1)


def load(cast, *entries):
    import_plan(actor=None, project=cast.ops, plan=json_list.read(json.dumps(entries)))


def test_imported_completion_has_the_times_of_its_file(cast):
    load(
        cast,
        {
            "title": "Done elsewhere",
            "key": "x-1",
            "status": "completed",
            "created_at": "2026-01-01T00:00:00Z",
            "started_at": "2026-01-02T00:00:00Z",
            "completed_at": "2026-01-03T00:00:00Z",
        },
        {"title": "Open", "key": "x-2", "created_at": "2026-01-01T00:00:00Z"},
        {"title": "Some day", "key": "x-3", "status": "completed"},
    )
    done, still_open, some_day = (Task.objects.get(external_id=f"x-{number}") for number in (1, 2, 3))
    rows = StatusInterval.objects.filter(task=done.pk).values_list("status", "reason", "began_at", "ended_at")
    day = [datetime(2026, 1, number, tzinfo=UTC) for number in (1, 2, 3)]
    assert list(rows) == [("not_started", "elsewhere", day[0], day[1]), ("in_progress", "", day[1], day[2])]
    [episode] = episodes(done)
    assert (episode.entered_at, episode.started_at, episode.ended_at) == tuple(day)
    assert (episode.is_imported, episode.ended_from, episode.credit) == (True, "given", "nobody")
    rows = StatusInterval.objects.filter(task=still_open.pk).values_list("reason", flat=True)
    assert list(rows) == ["elsewhere", "no_agent"]
    [episode] = episodes(some_day)
    assert (episode.end, episode.ended_from) == ("completed", "unknown")


def test_task_whose_beginning_no_event_told_has_a_history_from_its_first_move_on(cast, minutes):
    task = Task.objects.create(
        project=cast.ops, number=900, title="Bulk", created_at=minutes.start, updated_at=minutes.start
    )
    minutes.later(2)
    claim(cast.atlas, task)
    [episode] = episodes(task)
    assert (episode.entered_from, minutes.of(episode.started_at)) == ("unknown", 2)
    assert intervals(task, minutes) == [("in_progress", "", 2, None)]


def statements(captured):
    """The kinds of the statements that changed or read the history; a WITH has several writes, and what else waited."""
    models = (StatusInterval, Episode, AskedQuestion, LabelSet, LabelOfSet)
    tables = [model._meta.db_table for model in models]
    spent = [query["sql"] for query in captured]
    return [sql.split()[0] for sql in spent if any(table in sql for table in tables)]


def test_claims_and_completions_spend_few_statements_on_history(cast, new_task):
    on_postgresql = connection.vendor == "postgresql"
    claiming = ["UPDATE", "WITH"] if on_postgresql else ["UPDATE", "UPDATE", "INSERT"]
    for _ in range(3):
        new_task(labels=["bug"])
    with CaptureQueriesContext(connection) as alone:
        claims.claim_next(actor=cast.atlas.user, projects=[cast.ops])
    assert statements(alone) == claiming
    with CaptureQueriesContext(connection) as together:
        claimed = claims.claim_next(actor=cast.bert.user, projects=[cast.ops], limit=2).runs
    assert (len(claimed), statements(together)) == (2, claiming)
    with CaptureQueriesContext(connection) as completed:
        runs.complete_run(actor=cast.bert.user, run_id=claimed[0].pk, summary="done")
    assert statements(completed) == (["UPDATE", "WITH"] if on_postgresql else ["UPDATE", "UPDATE"])
    run = claimed[1].pk
    with CaptureQueriesContext(connection) as going_on:
        runs.progress_run(actor=cast.bert.user, run_id=run, percent=50)
    assert statements(going_on) == []
    with CaptureQueriesContext(connection) as asked:
        ask_run(actor=cast.bert.user, run_id=run, prompt="Which?")
    assert statements(asked) == ["SELECT", "INSERT"]


def test_end_and_new_entry_recorded_together_are_kept_as_if_apart(cast, new_task, minutes, monkeypatch):
    first, second = new_task(), new_task()
    Task.objects.filter(pk=second.pk).update(lease_losses=4)
    minutes.later(1)
    done, lost = claim(cast.atlas, first), claim(cast.bert, second)
    events = []
    monkeypatch.setattr(recording, "keep", events.extend)
    minutes.later(1)
    runs.complete_run(actor=cast.atlas.user, run_id=done.pk, summary="Done")
    lifecycle.reopen_task(actor=cast.ada.user, task=first)
    minutes.later(60)
    passing_time.expire_run(run=Run.objects.get(pk=lost.pk))
    with pytest.raises(Exception, match="expired"):
        runs.complete_run(actor=cast.bert.user, run_id=lost.pk, summary="Done")
    reviews.adopt_late_result(actor=cast.ada.user, run=Run.objects.get(pk=lost.pk))
    keep(events)
    ways = [(way.end, minutes.of(way.entered_at), minutes.of(way.started_at)) for way in episodes(first)]
    assert ways == [("completed", 0, 1), ("", 2, None)]
    ways = [(way.end, minutes.of(way.entered_at), minutes.of(way.started_at)) for way in episodes(second)]
    assert ways == [("failed", 0, 1), ("completed", 0, 1)]


def test_interval_in_another_status_than_an_event_says_ends_as_what_it_is(cast, new_task, minutes):
    task = new_task()
    StatusInterval.objects.filter(task=task.pk).update(status="waiting", reason="answer")
    minutes.later(1)
    claim(cast.atlas, task)
    assert intervals(task, minutes) == [("waiting", "answer", 0, 1), ("in_progress", "", 1, None)]
    StatusInterval.objects.filter(task=task.pk, status="waiting").update(status="not_started", reason="no_agent")
