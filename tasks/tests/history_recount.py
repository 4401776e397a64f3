"""The history of tasks told again, slowly and by other means than the code: from the runs, reviews and events.

Nothing here uses ``tasks.history`` but ``check``, which compares the rows with a rebuild.
"""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from tasks.events.recording import name_of
from tasks.history.rebuilding import check, tasks_with_events
from tasks.models import (
    AskedQuestion,
    Assignment,
    AssignmentDecision,
    AssignmentStep,
    Episode,
    Event,
    LabelOfSet,
    Question,
    Review,
    Run,
    RunStatus,
    StatusInterval,
    Task,
)

ENDED = {"completed", "failed", "cancelled"}


def assert_history() -> None:
    """Raise ``AssertionError`` if the history of any task is not what its events, its runs and its row say."""
    differing = [f"{each.task}: {each.what}" for each in check(tasks_with_events())]
    assert not differing, differing
    intervals: dict[int, list[StatusInterval]] = defaultdict(list)
    episodes: dict[int, list[Episode]] = defaultdict(list)
    for interval in StatusInterval.objects.order_by("id"):
        intervals[interval.task_id].append(interval)
    for episode in Episode.objects.order_by("number"):
        episodes[episode.task_id].append(episode)
    for ways in episodes.values():
        _ways_follow_each_other(ways)
    for rows in intervals.values():
        _times_have_neither_gaps_nor_overlaps(rows, {way.number: way for way in episodes[rows[0].task_id]})
    for task in Task.objects.select_related("project"):
        _last_row_is_the_task(task, intervals[task.pk], episodes[task.pk])
        _work_is_the_runs(task, intervals[task.pk])
        _verdicts_are_the_reviews(task, intervals[task.pk])
        _steps_are_those_of_assignment(task, intervals[task.pk])
    _questions_are_kept()
    for pk, ways in episodes.items():
        _sums_are_those_of_the_intervals(ways, intervals[pk])
        _moves_are_the_events(pk, ways, intervals[pk])


def names_of(row: StatusInterval | Episode | AskedQuestion) -> list[str]:
    """The labels that a row of the history keeps."""
    return list(LabelOfSet.objects.filter(label_set=row.label_set_id).order_by("name").values_list("name", flat=True))


def _ways_follow_each_other(ways: list[Episode]) -> None:
    assert [way.number for way in ways] == list(range(1, len(ways) + 1))
    for way, following in pairwise(ways):
        assert way.end in ENDED, f"{way} is not over, and another follows"
        assert following.is_reopened == (way.end == "completed" and following.entered_at != way.entered_at)


def _times_have_neither_gaps_nor_overlaps(rows: list[StatusInterval], ways: dict[int, Episode]) -> None:
    for row, following in pairwise(rows):
        assert row.ended_at is not None, f"{row} is open, and another follows"
        if row.episode == following.episode:
            assert row.ended_at == following.began_at, f"{row} ends at {row.ended_at}, then comes {following}"
            assert (row.status, row.reason) != (following.status, following.reason), f"{row} twice"
        else:
            assert row.episode < following.episode
            assert row.ended_at == ways[row.episode].ended_at
    last = rows[-1]
    assert last.ended_at == ways[last.episode].ended_at


def _last_row_is_the_task(task: Task, rows: list[StatusInterval], ways: list[Episode]) -> None:
    last = ways[-1]
    if task.status in ENDED:
        assert last.end == task.status
        assert all(row.ended_at is not None for row in rows)
        if task.status == "completed" and not last.is_imported:
            assert last.ended_at == task.completed_at
        return
    assert (last.end, rows[-1].ended_at, rows[-1].status) == ("", None, task.status), task.ref
    now = rows[-1].began_at
    if task.status == "not_started":
        rests = task.deferred_until is not None and task.deferred_until > now
        reason = "dependency" if task.open_blockers else "on_hold" if task.on_hold else None
        reason = reason or ("deferred" if rests else "no_agent")
        assert rows[-1].reason == reason, f"{task.ref} waits for {reason}, not {rows[-1].reason}"
    assert (last.priority, last.due_at, last.estimate_minutes) == (task.priority, task.due_at, task.estimate_minutes)
    labels = sorted(task.labels.values_list("name", flat=True))
    assert (rows[-1].priority, names_of(rows[-1]), names_of(last)) == (task.priority, labels, labels)
    creator = task.created_by
    assert {way.created_by for way in ways} == {name_of(creator) if creator else ""}


def _work_is_the_runs(task: Task, rows: list[StatusInterval]) -> None:
    work = {row.run_number: row for row in rows if row.run_number is not None}
    runs = {run.number: run for run in Run.objects.filter(task=task)}
    assert work.keys() == runs.keys()
    for number, run in runs.items():
        row = work[number]
        assert (row.agent_id, row.began_at, row.ended_at) == (run.agent_id, run.started_at, run.ended_at)
        assert row.outcome == ("" if run.status == RunStatus.ACTIVE else run.status)
        if run.ended_at is not None:
            used = (run.input_tokens, run.output_tokens, run.cost)
            assert (row.input_tokens, row.output_tokens, row.cost) == used


def _verdicts_are_the_reviews(task: Task, rows: list[StatusInterval]) -> None:
    kept = [(row.ended_at, row.agent_id, row.verdict, row.reviewer) for row in rows if row.verdict]
    given = Review.objects.filter(run__task=task).select_related("run", "reviewer").order_by("pk")
    assert kept == [(each.created_at, each.run.agent_id, each.verdict, name_of(each.reviewer)) for each in given]


def _steps_are_those_of_assignment(task: Task, rows: list[StatusInterval]) -> None:
    kept = list(AssignmentStep.objects.filter(task=task).order_by("id"))
    offers = [(each.at, each.agent_id, each.score, each.margin) for each in kept if each.step == "offered"]
    made = AssignmentDecision.objects.filter(task=task, score__isnull=False).order_by("id")
    assert offers == list(made.values_list("at", "agent_id", "score", "margin"))
    assigned = list(Assignment.objects.filter(task=task).order_by("ended_at", "id"))
    over = [(each.step, each.at, each.agent_id) for each in kept if each.step in ("lapsed", "declined")]
    ended = [each for each in assigned if each.end_reason in ("lapsed", "declined")]
    assert over == [(each.end_reason, each.ended_at, each.agent_id) for each in ended]
    by_hand = {each.agent_id for each in kept if each.step == "by_hand"}
    # Whom a file names for a task that has ended has it only if that is reopened.
    given = [each for each in assigned if each.source == "manual" and _is_open_at(each.created_at, rows)]
    assert by_hand >= {each.agent_id for each in given}
    pulled = {(row.began_at, row.agent_id) for row in rows if row.is_pulled}
    assert pulled >= {(each.created_at, each.agent_id) for each in assigned if each.source == "pull"}


def _is_open_at(moment: datetime, rows: list[StatusInterval]) -> bool:
    return any(row.began_at <= moment and (row.ended_at is None or moment < row.ended_at) for row in rows)


def _questions_are_kept() -> None:
    kept = {row.question: row for row in AskedQuestion.objects.all()}
    for question in Question.objects.select_related("run"):
        row = kept.pop(question.pk)
        for name in ("project_id", "task_id", "kind", "urgency", "to_role", "asked_at", "state", "ended_at"):
            assert getattr(row, name) == getattr(question, name), f"{row}: {name}"
        assert (row.agent_id, row.answered_by_id) == (question.run.agent_id, question.answered_by_id)
    assert not any(row.ended_at is None for row in kept.values()), "A question about a deleted task is open"


def _sums_are_those_of_the_intervals(ways: list[Episode], rows: list[StatusInterval]) -> None:
    for way in ways:
        runs = [row for row in rows if row.episode == way.number and row.run_number is not None]
        over = [row for row in runs if row.ended_at is not None]
        assert way.runs == len(runs)
        assert way.failed_runs == sum(row.outcome == "failed" for row in runs)
        assert way.cost == sum((row.cost for row in over), Decimal(0))
        assert way.input_tokens == sum(row.input_tokens for row in over)
        assert way.output_tokens == sum(row.output_tokens for row in over)
        worked = [row for row in rows if row.episode == way.number and row.status == "in_progress" and row.ended_at]
        assert abs(way.worked_seconds - sum(_seconds(row) for row in worked)) < 0.001
        if runs:
            assert way.started_at is not None
            assert way.started_at <= runs[0].began_at


def _seconds(row: StatusInterval) -> float:
    assert row.ended_at is not None
    return (row.ended_at - row.began_at).total_seconds()


def _moves_are_the_events(pk: int, ways: list[Episode], rows: list[StatusInterval]) -> None:
    """Each move of a verb ends an interval or begins one at its time, and each end of an episode is an event."""
    began = {(row.status, row.began_at) for row in rows}
    ended: list[tuple[str, datetime]] = [(way.end, way.ended_at) for way in ways if way.end and way.ended_at]
    asked = 0
    # Early events do not say them.
    labels: list[str] | None = None
    for event in Event.objects.filter(task=pk).order_by("pk"):
        target = event.data.get("to")
        labels = event.data.get("labels", labels)
        if event.kind == "task.imported" or target is None:
            continue
        asked += event.data["verb"] == "request_changes"
        if target in ENDED:
            assert (target, event.at) in ended, f"{event} has no end of an episode"
            ended.remove((target, event.at))
            over = [names_of(way) for way in ways if (way.end, way.ended_at) == (target, event.at)]
            assert labels is None or labels in over, f"{event} ended with {labels}, not {over}"
        else:
            assert (target, event.at) in began, f"{event} began nothing"
    assert sum(way.changes_requested for way in ways) == asked
