"""Finishing several runs by one call: as one by one, but in few statements."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.actions import claims, dependencies, many_runs, reviews, runs
from tasks.errors import Invalid, LeaseLost, NotFound
from tasks.models import Episode, Event, Run, StatusInterval, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.one_event import one_event_for_each_task


@pytest.fixture
def claimed(cast, new_task):
    """Make tasks, the more urgent the earlier, and have atlas claim them one by one; returns its runs."""

    def claim(count: int, **fields: Any) -> list[Run]:
        type(cast.atlas).objects.filter(pk=cast.atlas.pk).update(max_concurrent=50)
        tasks = [new_task("Work", priority=4 - number % 4, **fields) for number in range(count)]
        return [claims.claim_task(actor=cast.atlas.user, task=task) for task in tasks]

    return claim


def complete_many(cast, items):
    return many_runs.complete_runs(actor=cast.atlas.user, items=items)


def plain(run, summary="done", **more):
    return {"run_id": run.pk, "summary": summary, **more}


def facts_of(run):
    """What is stored of a run that ended and of its task, but for keys and times."""
    task = Task.objects.get(pk=run.task_id)
    rows = [Run.objects.get(pk=run.pk), task, *task.assignments.all(), *Episode.objects.filter(task=task)]
    for model in (StatusInterval, Event):
        rows += model.objects.filter(task=task).order_by("pk")
    apart = {"id", "task_id", "run_id", "number", "task_ref", "worked_seconds"}
    return [
        {
            name: value
            for name, value in row.__dict__.items()
            if name not in apart and not name.startswith("_") and not isinstance(value, datetime)
        }
        for row in rows
    ]


def test_it_writes_what_completing_each_writes(cast, claimed):
    said: list[dict[str, Any]] = [
        {"summary": "first", "result": {"a": [1, None, "ü"]}, "usage": {"input_tokens": 7, "cost": 0.25}},
        {"summary": "second", "result": "a 'text' of 100 %", "criteria": [{"criterion": "c", "met": True}]},
        {
            "summary": "x" * 900,
            "plan": [{"content": "Look", "status": "completed"}],
            "external_url": "https://a.example",
        },
        {"summary": "last", "result": None, "usage": {"output_tokens": 2**39}},
    ]
    alone, together = claimed(len(said)), claimed(len(said))
    for run in (alone[1], together[1]):
        runs.progress_run(
            actor=cast.atlas.user, run_id=run.pk, percent=40, plan=[{"content": "A", "status": "pending"}]
        )
    for run, each in zip(alone, said, strict=True):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, **each)
    with one_event_for_each_task() as events:
        done = complete_many(cast, [plain(run, **each) for run, each in zip(together, said, strict=True)])
    assert [(each.task.pk, each.unblocked) for each in done] == [(run.task_id, []) for run in together]
    assert [event.run_id for event in events] == [run.pk for run in together]
    for former, latter in zip(alone, together, strict=True):
        assert facts_of(latter) == facts_of(former)
        assert Run.objects.get(pk=latter.pk).ended_at == Task.objects.get(pk=latter.task_id).completed_at
    assert_invariants()


def test_what_hangs_together_goes_one_by_one_in_its_place(cast, claimed, new_task):
    first, waited_for, judged, proposing, last = claimed(5)
    Task.objects.filter(pk=judged.task_id).update(review_required=True)
    waiting = new_task()
    dependencies.add_dependencies(actor=cast.ada.user, task=waiting, depends_on=[waited_for.task])
    given_back = claimed(1)[0]
    runs.release_run(actor=cast.atlas.user, run_id=given_back.pk)
    items = [plain(run) for run in (first, waited_for, judged, proposing, given_back, first, last)]
    items[3]["follow_ups"] = [{"title": "Next"}]
    items[6]["summary"] = 7
    with one_event_for_each_task() as events:
        done = complete_many(cast, [*items, plain(last), {"run_id": uuid4(), "summary": "Not mine"}])
    kinds = [type(each) for each in done]
    assert kinds == [*[runs.Finished] * 4, LeaseLost, LeaseLost, Invalid, runs.Finished, NotFound]
    assert [each.unblocked for each in done[:4]] == [[], [waiting.ref], [], []]
    assert (done[2].task.status, done[3].task.status) == ("in_review", "completed")
    moved = [event.run_id for event in events if event.kind == "task.status_changed"]
    assert moved == [first.pk, waited_for.pk, judged.pk, proposing.pk, last.pk]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert Run.objects.filter(pk=given_back.pk, late_result__verb="complete").exists()
    assert_invariants()


def test_a_result_after_a_review_is_one_of_several(cast, claimed):
    again, other = claimed(2, review_required=True)
    runs.complete_run(actor=cast.atlas.user, run_id=again.pk, summary="v1", follow_ups=[{"title": "Later"}])
    reviews.request_changes(actor=cast.rita.user, task=again.task, note="More")
    Task.objects.update(review_required=False)
    again = claims.claim_task(actor=cast.atlas.user, task=again.task)
    complete_many(cast, [plain(again), plain(other)])
    assert [each.state for each in again.task.follow_ups.all()] == ["open"]
    assert_invariants()


def test_a_lost_race_of_several_is_run_again(cast, claimed, monkeypatch):
    several = claimed(3)
    look, times = many_runs.dependents_of, []

    def lose(tasks):
        times.append(len(tasks))
        if len(times) == 1:
            # Behind the locks nobody does this; that is what makes it a lost race.
            Task.objects.filter(pk=tasks[1]).update(review_required=True)
        return look(tasks)

    monkeypatch.setattr(many_runs, "dependents_of", lose)
    done = complete_many(cast, [plain(run) for run in several])
    assert times == [3, 3]
    assert [each.task.status for each in done] == ["completed"] * 3
    assert Event.objects.filter(data__verb="complete").count() == 3
    assert_invariants()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite writes row by row.")
def test_several_cost_as_many_statements_as_two(cast, claimed):
    def spent(count):
        items = [
            plain(run, f"Done {number}", usage={"input_tokens": number}) for number, run in enumerate(claimed(count))
        ]
        with CaptureQueriesContext(connection) as captured:
            complete_many(cast, items)
        return [query["sql"].split()[0] for query in captured]

    assert spent(8) == spent(2) == ["SAVEPOINT", "SELECT", "WITH", "SELECT", "WITH", "UPDATE", "WITH", "RELEASE"]


def test_claiming_several_costs_as_many_statements_as_one(cast, new_task):
    def spent(count):
        type(cast.atlas).objects.filter(pk=cast.atlas.pk).update(max_concurrent=50)
        for number in range(count):
            new_task(priority=1 + number % 4, labels=[f"label {number}"])
        with CaptureQueriesContext(connection) as captured:
            assert len(claims.claim_next(actor=cast.atlas.user, projects=[cast.ops], limit=count).runs) == count
        return len(captured)

    assert spent(8) == spent(1)
