"""Keeps the history of tasks in the transaction of the events: what they change is read, advanced, and written.

Each verb holds the lock of the task whose event it records, so the open interval that is read here is the last one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Greatest

from taskproject.prepared.parameters import Parameter
from taskproject.prepared.querysets import prepared_update, sends_many_at_once
from tasks.batches import batches
from tasks.history.assigning import agents_named
from tasks.history.labels import LabelSets, label_sets_of
from tasks.history.line import Line
from tasks.history.questions import keep_questions
from tasks.history.rows import insert
from tasks.history.tables import Tables, tables_of
from tasks.history.telling import begins, concerns, ending
from tasks.models import Event
from tasks.models.history import Episode, StatusInterval
from tasks.transitions import TERMINAL

#: Fields of an episode that are added up; of an open one, only what is added is known.
SUMS = ("runs", "failed_runs", "changes_requested", "worked_seconds", "input_tokens", "output_tokens", "cost")


#: Nothing ends before it began.
_END = Greatest(F("began_at"), Parameter("at"))
#: What is added to an episode of which only that is known.
_COLUMN: Any = Episode._meta.get_field
_MORE: dict[str, Any] = {name: F(name) + Parameter(f"more {name}", _COLUMN(name)) for name in SUMS}
_STARTED = Coalesce(F("started_at"), Parameter("started"))


@prepared_update
def _open_intervals(tasks: Any, status: Any) -> QuerySet[StatusInterval]:
    return StatusInterval.objects.filter(ended_at__isnull=True, status=status, task__id__any=tasks)


@prepared_update
def _open_interval(task: Any, status: Any) -> QuerySet[StatusInterval]:
    return StatusInterval.objects.filter(ended_at__isnull=True, status=status, task=task)


@prepared_update
def _intervals(ids: Any) -> QuerySet[StatusInterval]:
    return StatusInterval.objects.filter(pk__any=ids)


@prepared_update
def _episodes(tasks: Any, number: Any) -> QuerySet[Episode]:
    return Episode.objects.filter(task__id__any=tasks, number=number)


@prepared_update
def _episode(task: Any, number: Any) -> QuerySet[Episode]:
    return Episode.objects.filter(task=task, number=number)


def keep(events: Sequence[Event]) -> None:
    """Bring the history of the tasks of ``events``, which are about to be stored, up to date."""
    tables = tables_of()
    if concerning := [event for event in events if concerns(event)]:
        lines = _lines(concerning, tables)
        for event in concerning:
            assert event.task_id is not None
            lines[event.task_id].advance(event)
        store(lines.values())
    keep_questions(events, tables)


def _lines(events: Sequence[Event], tables: Tables) -> dict[int, Line]:
    """The history so far of each task of ``events``."""
    named: dict[str, Any] = {"agents": agents_named(events, tables), "label_sets": label_sets_of(events, tables)}
    first: dict[int, Event] = {}
    for event in events:
        assert event.task_id is not None
        first.setdefault(event.task_id, event)
    lines = {task: Line(tables, **named) for task, event in first.items() if begins(event)}
    known = [task for task in first if task not in lines]
    intervals: dict[int, StatusInterval] = {}
    for interval in _intervals_of(known, events, named["label_sets"]):
        assert interval.task_id is not None
        intervals[interval.task_id] = interval
        lines[interval.task_id] = Line(tables, _so_far(interval), interval, is_partial=True, **named)
    # An episode after another takes from it what a partial one does not know.
    entering = {event.task_id for event in events if event.data.get("from") in TERMINAL}
    for ids in batches([task for task in known if task not in lines or task in entering]):
        for episode in Episode.objects.filter(task__in=ids).order_by("task", "number"):
            assert episode.task_id is not None
            lines[episode.task_id] = Line(tables, episode, intervals.get(episode.task_id), **named)
    return {task: lines.get(task) or Line(tables, **named) for task in first}


def _intervals_of(tasks: Sequence[int], events: Sequence[Event], label_sets: LabelSets) -> Iterator[StatusInterval]:
    """The last interval of each of these tasks that has an open one: ended, if its only event surely ends it."""
    times = Counter(event.task_id for event in events)
    read = set(tasks)
    # That an UPDATE returns what it changed saves reading it before.
    if connection.features.can_return_rows_from_bulk_insert:
        alone = [event for event in events if event.task_id in read and times[event.task_id] == 1]
        for interval in _end(alone, label_sets):
            assert interval.task_id is not None
            read.remove(interval.task_id)
            yield interval
    for ids in batches(sorted(read)):
        yield from StatusInterval.objects.filter(task__in=ids, ended_at__isnull=True).order_by()


def _end(events: Sequence[Event], label_sets: LabelSets) -> Iterator[StatusInterval]:
    """End the open intervals that ``events`` surely end."""
    # By columns; then, where one statement cannot give each row its own values, by values.
    alike: dict[tuple[str, ...], dict[tuple[Any, ...], list[Any]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if (ended := ending(event, label_sets)) is not None:
            names = sorted(ended[1])
            alike[tuple(names)][event.at, ended[0], *(ended[1][name] for name in names)].append(event.task_id)
    for columns, groups in alike.items():
        if len(groups) > 1 and sends_many_at_once():
            many = [
                (
                    {"ended_at": _END, **dict(zip(columns, values, strict=True))},
                    {"task": task, "status": status, "at": at},
                )
                for (at, status, *values), tasks in groups.items()
                for task in tasks
            ]
            for several in batches(many):
                yield from _open_interval.each_returning(several)
            continue
        for (at, status, *values), tasks in groups.items():
            for ids in batches(tasks):
                changes = {"ended_at": _END, **dict(zip(columns, values, strict=True))}
                yield from _open_intervals.returning(changes, tasks=ids, status=status, at=at)


def _so_far(interval: StatusInterval) -> Episode:
    """The open episode of ``interval``, as far as it matters for what comes next: to add to."""
    return Episode(
        project_id=interval.project_id,
        task_id=interval.task_id,
        task_ref=interval.task_ref,
        number=interval.episode,
        priority=interval.priority,
        label_set_id=interval.label_set_id,
    )


def store(lines: Iterable[Line]) -> None:
    """Write what has changed, first what ends: a task has one open interval and one open episode."""
    lines = list(lines)
    _alter([line for line in lines if line.altered])
    _add_up([line for line in lines if line.touched])
    insert([row for line in lines for row in line.intervals])
    insert([row for line in lines for row in line.episodes])
    insert([row for line in lines for row in line.steps])


def _alter(lines: Sequence[Line]) -> None:
    """Update the intervals that were open, those that change alike in one statement."""
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for line in lines:
        assert line.begun is not None
        alike[tuple((name, getattr(line.begun, name)) for name in sorted(line.altered))].append(line.begun.pk)
    for values, ids in alike.items():
        for batch in batches(ids):
            _intervals.later(dict(values), ids=batch)


def _add_up(lines: Sequence[Line]) -> None:
    """Update the episodes that were there."""
    # As in ``_end``, by columns, then by values. To what is added to some of them, nothing is added for the others.
    added = set(SUMS) & {name for line in lines if line.is_partial for name in line.touched}
    alike: dict[tuple[Any, ...], dict[tuple[Any, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        assert line.known is not None
        assert line.known.task_id is not None
        names = sorted(line.touched | added if line.is_partial else line.touched)
        now = (getattr(line.known, name) for name in names)
        alike[line.is_partial, *names][line.known.number, *now].append(line.known.task_id)
    for (is_partial, *columns), groups in alike.items():
        at_once = len(groups) > 1 and sends_many_at_once()
        many: list[Any] = []
        for (number, *values), tasks in groups.items():
            changes, given = _changes(dict(zip(columns, values, strict=True)), is_partial=is_partial)
            given["number"] = number
            if at_once:
                many += [(changes, {"task": task, **given}) for task in tasks]
                continue
            for batch in batches(tasks):
                _episodes.later(changes, tasks=batch, **given)
        for several in batches(many):
            _episode.each_later(several, must_change=False)


def _changes(values: dict[str, Any], *, is_partial: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changes of an episode, and the parameters of that; of a partial one, ``values`` are added to what it is."""
    given: dict[str, Any] = {f"more {name}": values[name] for name in SUMS if name in values}
    given["started"] = values.get("started_at")
    if is_partial:
        values |= {name: more for name, more in _MORE.items() if name in values}
        if "started_at" in values:
            values["started_at"] = _STARTED
    return values, given
