"""Automatic assignment amid everything else: manual changes, an outage, a task that came back, a slower engine."""

from datetime import timedelta

import pytest

from tasks import clock
from tasks.actions import assignments, claims, lifecycle, projects, runs
from tasks.actions.offering import lapse_offers, record_nobody
from tasks.assignment.candidates import read_tasks
from tasks.assignment.experience import Experience, _was_accepted
from tasks.assignment.matchmaker import Matchmaker
from tasks.models import (
    Assignment,
    AssignmentDecision,
    AssignmentMode,
    DecisionMode,
    Event,
    Project,
    RunStatus,
    Task,
)
from tasks.tests.test_assignment_offers import assignee, auto, match_now
from tasks.transitions import Status

pytestmark = pytest.mark.django_db

__all__ = ["auto"]  # a fixture, used by name


def open_records(task):
    return AssignmentDecision.objects.filter(task=task, agent__isnull=True, ended_at__isnull=True)


def test_assign_by_hand_over_an_offer_makes_it_last(auto, new_task):
    task = new_task(required_skills=[("python", 3)])
    match_now(auto)
    assignments.assign_task(actor=auto.ada.user, task=task, agents=[auto.atlas], note="yours")
    [row] = Assignment.objects.active().filter(task=task)
    assert (row.source, row.accept_by, row.assigned_by, row.note) == ("manual", None, auto.ada.user, "yours")
    event = Event.objects.filter(task=task, kind="task.assigned").order_by("pk").last()
    assert (event.data["source"], event.actor) == ("manual", auto.ada.user)
    assert lapse_offers() == []
    assert assignee(task) == ["atlas"]
    events = Event.objects.count()
    assignments.assign_task(actor=auto.ada.user, task=task, agents=[auto.atlas])
    assert Event.objects.count() == events


def test_record_of_nobody_by_a_slower_engine_is_dropped_where_the_task_was_offered(auto, new_task):
    task = new_task()
    match_now(auto)
    late = AssignmentDecision(
        task=task, at=clock.now(), mode=DecisionMode.AUTO, policy="value", policy_version="1", warning="Nobody can."
    )
    record_nobody(actor=None, decisions=[late])
    assert not open_records(task).exists()
    assert not Event.objects.filter(task=task, kind="task.nobody_found").exists()


@pytest.mark.parametrize("how", ["assign", "claim", "cancel"])
def test_record_of_nobody_ends_when_the_wait_does(auto, new_task, how):
    task = new_task(required_skills=[("python", 5)])
    match_now(auto)
    assert open_records(task).get().warning
    if how == "assign":
        assignments.assign_task(actor=auto.ada.user, task=task, agents=[auto.bert])
    elif how == "claim":
        Project.objects.filter(pk=auto.ops.pk).update(allow_pull=True)
        task.required_skills.all().delete()
        claims.claim_task(actor=auto.bert.user, task=task)
    else:
        lifecycle.cancel_task(actor=auto.ada.user, task=task)
    assert not open_records(task).exists()


def test_records_of_nobody_end_when_the_project_is_served_by_hand(auto, new_task):
    task = new_task(required_skills=[("python", 5)])
    match_now(auto)
    projects.edit_project(actor=auto.ada.user, project=auto.ops, changes={"mode": AssignmentMode.MANUAL})
    assert not open_records(task).exists()


def test_withdrawn_warning_is_recorded(auto, new_task):
    task = new_task(required_skills=[("python", 5)])
    match_now(auto)
    assert Event.objects.filter(task=task, kind="task.nobody_found").count() == 1
    version = Task.objects.get(pk=task.pk).version
    auto.atlas.skills.update(level=5)
    auto.atlas.max_concurrent = 1
    auto.atlas.save()
    new_other = new_task(priority=4)
    Project.objects.filter(pk=auto.ops.pk).update(allow_pull=True)
    claims.claim_task(actor=auto.atlas.user, task=new_other)
    match_now(auto)
    assert open_records(task).get().warning == ""
    assert Event.objects.filter(task=task, kind="task.warning_changed").get().data["note"] == ""
    assert Task.objects.get(pk=task.pk).version > version


def test_age_of_a_task_that_came_back_counts_from_then(auto, new_task):
    task = new_task()
    long_ago = clock.now() - timedelta(days=90)
    Task.objects.filter(pk=task.pk).update(created_at=long_ago)
    lifecycle.cancel_task(actor=auto.ada.user, task=task)
    lifecycle.reopen_task(actor=auto.ada.user, task=task)
    project = Project.objects.get(pk=auto.ops.pk)
    [facts] = read_tasks([task.pk], [project], clock.now(), Experience())
    assert facts.waiting_since > (clock.now() - timedelta(minutes=1)).timestamp()


def test_reopened_task_is_offered_again(auto, new_task):
    task = new_task(required_skills=[("python", 3)])
    match_now(auto)
    run = claims.claim_task(actor=auto.atlas.user, task=task)
    runs.complete_run(actor=auto.atlas.user, run_id=run.pk, summary="done")
    lifecycle.reopen_task(actor=auto.ada.user, task=task)
    assert assignee(task) == []
    match_now(auto)
    assert assignee(task) == ["atlas"]


@pytest.mark.parametrize(
    ("status", "adopted", "verdict", "reviewed", "task_status", "expected"),
    [
        (RunStatus.COMPLETED, False, None, True, Status.IN_REVIEW, None),
        (RunStatus.COMPLETED, False, None, True, Status.CANCELLED, None),
        (RunStatus.COMPLETED, False, None, False, Status.CANCELLED, True),
        (RunStatus.EXPIRED, True, None, True, Status.IN_REVIEW, None),
        (RunStatus.EXPIRED, True, None, True, Status.COMPLETED, True),
        (RunStatus.EXPIRED, False, None, False, Status.COMPLETED, False),
        (RunStatus.COMPLETED, False, "approved", True, Status.COMPLETED, True),
        (RunStatus.COMPLETED, False, "changes_requested", True, Status.NOT_STARTED, False),
    ],
)
def test_work_counts_as_accepted_once_it_was_judged(status, adopted, verdict, reviewed, task_status, expected):
    assert _was_accepted(status, adopted, verdict, reviewed, task_status) is expected


def test_matching_that_fails_forgets_nothing(auto, new_task, monkeypatch):
    from tasks.assignment import matchmaker as module

    matchmaker = Matchmaker()
    matchmaker._passed_on, matchmaker._learned = {1}, {2}

    def fail(*args, **kwargs):
        raise ArithmeticError

    monkeypatch.setattr(module, "serve", fail)
    with pytest.raises(ArithmeticError):
        matchmaker._match([auto.ops])
    assert (matchmaker._passed_on, matchmaker._learned) == ({1}, {2})


def test_news_that_was_matched_before_it_was_heard_is_matched_no_second_time(auto, new_task):
    matchmaker = Matchmaker()
    matchmaker.catch_up()
    matched = new_task(required_skills=[("python", 3)])
    assert matchmaker.tick(always=True) == 1
    matchmaker.hear(list(Event.objects.filter(task=matched)))
    assert not matchmaker._news.is_set()
    later = new_task()
    matchmaker.hear(list(Event.objects.filter(task=later)))
    assert matchmaker._news.is_set()
