"""``manage.py rebuild_history``: what it finds, what it writes, and what it infers for old events."""

import importlib
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import clock
from tasks.actions import claims, lifecycle, offering, passing_time, runs
from tasks.actions.assignments import assign_task
from tasks.actions.imports import import_plan
from tasks.actions.questions import ask_run
from tasks.actions.tasks import delete_task, edit_task, hold_task
from tasks.events import kinds, recording
from tasks.formats import json_list
from tasks.history.questions import copy_questions, keep_questions
from tasks.history.rebuilding import rebuild, tasks_with_events
from tasks.history.tables import tables_of
from tasks.models import (
    AskedQuestion,
    AssignmentDecision,
    AssignmentStep,
    Episode,
    Event,
    LabelSet,
    Project,
    Question,
    StatusInterval,
    Task,
)
from tasks.tests.history_recount import assert_history, names_of

pytestmark = pytest.mark.django_db
FACTS = (
    "waits_for",
    "priority",
    "labels",
    "due_at",
    "estimate_minutes",
    "agent_version",
    "input_tokens",
    "output_tokens",
    "cost",
)


def call(*args: str) -> str:
    out = StringIO()
    call_command("rebuild_history", *args, stdout=out)
    return out.getvalue()


def rows():
    return [
        list(model.objects.order_by("task_id", "id").values_list(*names))
        for model in (StatusInterval, Episode, AssignmentStep)
        for names in [[field.attname for field in model._meta.concrete_fields if not field.primary_key]]
    ]


@pytest.fixture
def lives(cast, new_task):
    """Some tasks of OPS with some history."""
    first, second, third = new_task(estimate_minutes=5, priority=3, labels=["bug", "ui"]), new_task(), new_task()
    waiting = new_task(depends_on=[first])
    hold_task(actor=cast.ada.user, task=second)
    run = claims.claim_task(actor=cast.atlas.user, task=third)
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y", usage={"cost": 1.5, "input_tokens": 3})
    Task.objects.filter(pk=third.pk).update(deferred_until=first.created_at)
    passing_time.wake_deferred()
    run = claims.claim_task(actor=cast.atlas.user, task=first)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done", usage={"output_tokens": 9})
    lifecycle.reopen_task(actor=cast.ada.user, task=first)
    delete_task(actor=cast.ada.user, task=waiting)


def test_rebuild_of_nothing_wrong_writes_nothing(lives):
    before = list(StatusInterval.objects.order_by("id").values_list("id", flat=True))
    assert call() == "The history of 4 tasks is what the events say.\n"
    assert list(StatusInterval.objects.order_by("id").values_list("id", flat=True)) == before
    assert json.loads(call("--check", "--json")) == {"tasks": 4, "differing": [], "written": False}


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (
            lambda: StatusInterval.objects.filter(task_ref="OPS-2").update(reason="answer"),
            "interval 1: reason is answer",
        ),
        (lambda: StatusInterval.objects.filter(task_ref="OPS-1").last().delete(), "intervals, its events say"),
        (lambda: Episode.objects.filter(task_ref="OPS-4").update(end="failed"), "episode 1: end is failed"),
        (lambda: Episode.objects.filter(task_ref="OPS-3").delete(), "0 episodes, its events say 1"),
        (lambda: Episode.objects.filter(task_ref="OPS-1", number=1).update(worked_seconds=7), "worked_seconds is 7"),
    ],
)
def test_check_says_what_differs_and_rebuild_makes_it_right(lives, spoil, what):
    right = rows()
    spoil()
    wrong = rows()
    assert wrong != right
    with pytest.raises(CommandError, match="Of 4 tasks, the history of 1 task is not") as refused:
        call("--check", "--project", "OPS")
    assert what in refused.value.data["differing"][0]["what"]
    assert rows() == wrong
    assert "The history of 1 task of 4 was rewritten." in call()
    assert rows() == right


def test_rebuild_brings_back_labels_and_questions(cast, new_task):
    task = new_task(labels=["bug"])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    edit_task(actor=cast.ada.user, task=task, changes={"labels": ["ui", "docs"]})
    ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?", park=True)
    edit_task(actor=cast.ada.user, task=task, changes={"labels": [], "priority": 4})
    kept = [names_of(row) for row in StatusInterval.objects.order_by("id")]
    assert kept == [["bug"], ["docs", "ui"], []]
    for model in (LabelSet, AskedQuestion):
        model.objects.all().delete()
    StatusInterval.objects.update(label_set=None, priority=1)
    with pytest.raises(CommandError):
        call("--check")
    assert not LabelSet.objects.exists()
    call()
    assert [names_of(row) for row in StatusInterval.objects.order_by("id")] == kept
    asked = AskedQuestion.objects.get()
    assert (asked.task_ref, asked.priority, names_of(asked)) == (task.ref, 2, ["docs", "ui"])
    assert_history()
    delete_task(actor=cast.ada.user, task=task)
    assert AskedQuestion.objects.get().state == "withdrawn"
    assert_history()


def kept_of_questions():
    rows = AskedQuestion.objects.order_by("question")
    return [(row.state, row.priority, names_of(row), row.task_ref, row.agent_id) for row in rows]


def test_questions_made_again_are_like_their_tasks_were_as_they_were_asked(cast, new_task):
    ended = {"complete": new_task(priority=1, labels=["bug"]), "fail": new_task(max_attempts=1, labels=["bug", "ui"])}
    ended["cancel"] = new_task(priority=3, labels=["docs"])
    for end, task in ended.items():
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?", park=end == "cancel")
        if end == "complete":
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done")
        elif end == "fail":
            runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
        else:
            edit_task(actor=cast.ada.user, task=task, changes={"labels": ["late"]})
            lifecycle.cancel_task(actor=cast.ada.user, task=task)
        edit_task(actor=cast.ada.user, task=task, changes={"priority": 4, "labels": ["later"]})
    before = kept_of_questions()
    assert [row[1:3] for row in before] == [(1, ["bug"]), (2, ["bug", "ui"]), (3, ["docs"])]
    AskedQuestion.objects.all().delete()
    call()
    assert kept_of_questions() == before
    AskedQuestion.objects.all().delete()
    importlib.import_module("tasks.migrations.0037_history_of_then").fill(apps, None)
    assert kept_of_questions() == before


def test_question_of_a_run_that_no_event_told_is_like_its_task_was_then(cast, new_task):
    task = new_task(labels=["bug"])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done")
    before = kept_of_questions()
    StatusInterval.objects.update(run_number=None)
    for asked_at in (Question.objects.get().asked_at, task.created_at - timedelta(days=1)):
        AskedQuestion.objects.all().delete()
        Question.objects.update(asked_at=asked_at)
        copy_questions(list(Question.objects.values_list("pk", flat=True)), tables_of())
        assert kept_of_questions() == before


def test_what_is_kept_of_questions_is_read_once_for_each_batch(cast, new_task):
    for _ in range(3):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task(labels=["bug"]))
        ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?")
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Done")
    before = kept_of_questions()
    AskedQuestion.objects.all().delete()
    with CaptureQueriesContext(connection) as captured:
        assert len(rebuild(tasks_with_events())) == 3
    assert kept_of_questions() == before
    table = connection.ops.quote_name(AskedQuestion._meta.db_table)
    assert [query["sql"].split()[0] for query in captured if table in query["sql"]] == ["SELECT", "INSERT"]


def test_questions_about_tasks_that_are_deleted_together_end_in_one_statement(cast, new_task):
    events = []
    for _ in range(2):
        task = new_task()
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?")
        deletion = {"at": clock.now(), "actor": cast.ada.user, "task": task, "title": task.title}
        events.append(recording.event(kinds.TASK_DELETED, **deletion))
    events[1].at = events[0].at
    with CaptureQueriesContext(connection) as captured:
        keep_questions(events, tables_of())
    assert [query["sql"].split()[0] for query in captured] == ["UPDATE"]
    ended = AskedQuestion.objects.values_list("state", "ended_at")
    assert list(ended) == [("withdrawn", events[0].at)] * 2


def test_rebuild_brings_back_steps_of_assignment(cast, new_task):
    offered, alone, both = new_task(labels=["bug"]), new_task(), new_task(assignees=[cast.atlas, cast.bert])
    for task, margin in ((offered, 0.125), (alone, None)):
        decision = AssignmentDecision(
            task=task, at=clock.now(), mode="auto", policy="value", policy_version="1", score=0.1, margin=margin
        )
        offer = offering.Offer(task.project, task.pk, task.version, clock.now() + timedelta(hours=1), decision)
        assert offering.offer_tasks(actor=None, agent=cast.bert.pk, offers=[offer])
    assign_task(actor=cast.ada.user, task=offered, agents=[cast.bert])
    offering.decline_task(actor=cast.bert.user, task=alone, reason="Too much")
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    assert StatusInterval.objects.get(run_number=run.number, task=run.task).is_pulled
    columns = ("task_ref", "step", "agent__slug", "score", "margin", "label_set")
    labels = LabelSet.objects.get().pk
    kept = list(AssignmentStep.objects.order_by("task_id", "id").values_list(*columns))
    assert kept == [
        (offered.ref, "offered", "bert", 0.1, 0.125, labels),
        (offered.ref, "by_hand", "bert", None, None, labels),
        (alone.ref, "offered", "bert", 0.1, None, None),
        (alone.ref, "declined", "bert", None, None, None),
        (both.ref, "by_hand", "atlas", None, None, None),
        (both.ref, "by_hand", "bert", None, None, None),
    ]
    assert_history()

    def kept_after(change):
        change()
        call()
        return list(AssignmentStep.objects.order_by("task_id", "id").values_list(*columns))

    assert kept_after(AssignmentStep.objects.all().delete) == kept
    assert kept_after(lambda: AssignmentStep.objects.update(step="lapsed", margin=7)) == kept
    # Early events do not say the margin: the decision does, and when that is gone what was kept.
    for event in Event.objects.all():
        event.data.pop("margin", None)
        event.save()
    assert kept_after(AssignmentStep.objects.all().delete) == kept
    for task in Task.objects.exclude(status="in_progress"):
        delete_task(actor=cast.ada.user, task=task)
    assert not AssignmentDecision.objects.exists()
    assert kept_after(lambda: AssignmentStep.objects.update(label_set=None)) == kept
    call("--check")


def test_rebuild_of_one_project_leaves_the_others(lives, new_task):
    Project.objects.create(key="ELSE", name="Else")
    StatusInterval.objects.all().delete()
    assert call("--project", "ELSE") == "The history of 0 tasks is what the events say.\n"
    assert not StatusInterval.objects.exists()


def test_migration_fills_the_history_of_events_that_lack_what_new_ones_say(lives):
    right = rows()
    for event in Event.objects.all():
        event.data = {name: value for name, value in event.data.items() if name not in FACTS}
        event.save()
    StatusInterval.objects.all().delete()
    Episode.objects.all().delete()
    importlib.import_module("tasks.migrations.0037_history_of_then").fill(apps, None)
    inferred = rows()
    # Of the deleted task nothing is left but its events.
    assert inferred[0] == right[0]
    assert [row[:20] for row in inferred[1]] == [row[:20] for row in right[1]]
    call("--check")
    assert_history()


def test_old_events_say_the_same_after_their_tasks_are_deleted(lives, cast):
    for event in Event.objects.all():
        event.data = {name: value for name, value in event.data.items() if name not in FACTS}
        event.save()
    for task in Task.objects.all():
        delete_task(actor=cast.ada.user, task=task)
    call("--check")


def test_old_import_of_a_completion_at_its_own_time_is_of_unknown_time(cast, new_task):
    task = new_task()
    Event.objects.all().delete()
    StatusInterval.objects.all().delete()
    Episode.objects.all().delete()
    at = task.created_at
    for number, completed in enumerate((at, at - timedelta(days=3))):
        Event.objects.create(
            at=at,
            project=cast.ops,
            project_key="OPS",
            task_id=task.pk + number,
            task_ref=f"OPS-{number}",
            kind="task.imported",
            data={
                "title": "x",
                "source": "csv",
                "fingerprint": "y",
                "to": "completed",
                "completed_at": completed.isoformat(),
            },
        )
    call()
    assert list(Episode.objects.order_by("task_id").values_list("ended_from", flat=True)) == ["unknown", "given"]


def test_old_import_keeps_its_credit_after_its_task_is_deleted(cast):
    entries = [
        {"key": "a", "title": "A", "status": "completed", "assignees": ["atlas"]},
        {"key": "b", "title": "B", "status": "completed", "assignees": ["atlas", "bert"]},
        {"key": "c", "title": "C", "status": "completed"},
    ]
    import_plan(actor=None, project=cast.ops, plan=json_list.read(json.dumps(entries)))
    for event in Event.objects.all():
        event.data = {name: event.data[name] for name in ("title", "source", "fingerprint", "to", "completed_at")}
        event.save()
    call()
    credits = [("agent", cast.atlas.pk), ("several", None), ("nobody", None)]
    assert list(Episode.objects.order_by("task_id").values_list("credit", "agent_id")) == credits
    for task in Task.objects.all():
        delete_task(actor=cast.ada.user, task=task)
    assert list(Episode.objects.order_by("task_id").values_list("credit", "agent_id")) == credits
    call("--check")
