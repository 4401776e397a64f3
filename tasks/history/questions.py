"""Keeps what reports count of questions, so that it stays when a question is deleted with its task.

Events say too little of it, so it is copied from the questions that they name, all but their words.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from tasks.batches import batches
from tasks.events import kinds
from tasks.history.tables import Tables
from tasks.models import Event, QuestionState

#: What may still change of a question; priority and labels stay as they were when it was asked.
CHANGING: Final = ("asked_at", "state", "ended_at", "answered_by_id")
_COPIED: Final = (*CHANGING, "project_id", "task_id", "kind", "urgency", "to_role")


def keep_questions(events: Iterable[Event], tables: Tables) -> None:
    """Copy the questions that ``events`` name; those about deleted tasks end with these."""
    ids: set[int] = set()
    deleted: dict[datetime, list[int]] = defaultdict(list)
    for event in events:
        ids.update(event.data.get("questions") or ())
        if isinstance(question := event.data.get("question"), int):
            ids.add(question)
        if event.kind == kinds.TASK_DELETED and event.task_id is not None:
            deleted[event.at].append(event.task_id)
    for at, tasks in deleted.items():
        for batch in batches(tasks):
            left = tables.asked.objects.filter(task__in=batch, ended_at__isnull=True)
            left.update(state=QuestionState.WITHDRAWN, ended_at=at)
    if ids:
        copy_questions(sorted(ids), tables)


def copy_questions(ids: Sequence[int], tables: Tables) -> None:
    """Make what is kept of these questions what they are now."""
    for batch in batches(ids):
        rows = made_of(tables.question.objects.filter(pk__in=batch), tables)
        tables.asked.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["question"],
            update_fields=[name.removesuffix("_id") for name in CHANGING],
        )


def made_of(questions: Any, tables: Tables) -> list[Any]:
    """What is to be kept of ``questions``, a queryset, if nothing is yet: their tasks as the history keeps them."""
    asked = list(questions.select_related("task__project", "run").order_by("pk"))
    intervals: dict[int, list[Any]] = defaultdict(list)
    rows = tables.interval.objects.filter(task__in={each.task_id for each in asked}).order_by("began_at", "id")
    for row in rows.only("task_id", "run_number", "began_at", "priority", "label_set_id"):
        intervals[row.task_id].append(row)
    made = []
    for each in asked:
        then = _interval_of(each, intervals[each.task_id])
        made.append(
            tables.asked(
                question=each.pk,
                task_ref=f"{each.task.project.key}-{each.task.number}",
                agent_id=each.run.agent_id,
                priority=each.task.priority if then is None else then.priority,
                label_set_id=None if then is None else then.label_set_id,
                **{name: getattr(each, name) for name in _COPIED},
            )
        )
    return made


def _interval_of(question: Any, intervals: Sequence[Any]) -> Any:
    """Of the intervals of its task, in order, the run that asked; else the last that had begun, or the first."""
    # As a question parks its run, the next interval begins at the same time.
    by_run = [row for row in intervals if row.run_number == question.run.number]
    had_begun = by_run or [row for row in intervals if row.began_at <= question.asked_at]
    return next(iter(had_begun[-1:] or intervals[:1]), None)


def questions_missed(tasks: Sequence[int], tables: Tables) -> dict[int, list[int]]:
    """Of these tasks, the ids of the questions of which something else is kept than they are; by task."""
    missed: dict[int, list[int]] = {}
    for batch in batches(tasks):
        kept = {
            row[0]: row[1:] for row in tables.asked.objects.filter(task__in=batch).values_list("question", *CHANGING)
        }
        for pk, task, *now in tables.question.objects.filter(task__in=batch).values_list("pk", "task", *CHANGING):
            if kept.get(pk) != tuple(now):
                missed.setdefault(task, []).append(pk)
    return missed
