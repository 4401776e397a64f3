"""Keeps what reports count of questions, so that it stays when a question is deleted with its task.

Events say too little of it, so it is copied from the questions that they name, all but their words.
"""

from collections.abc import Iterable, Sequence
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
    for event in events:
        ids.update(event.data.get("questions") or ())
        if isinstance(question := event.data.get("question"), int):
            ids.add(question)
        if event.kind == kinds.TASK_DELETED:
            left = tables.asked.objects.filter(task=event.task_id, ended_at__isnull=True)
            left.update(state=QuestionState.WITHDRAWN, ended_at=event.at)
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
    """What is to be kept of ``questions``, a queryset, if nothing is yet: tasks are like they are now."""
    asked = list(questions.select_related("task__project", "run").order_by("pk"))
    open_ones = tables.interval.objects.filter(task__in={each.task_id for each in asked}, ended_at__isnull=True)
    label_sets = dict(open_ones.order_by().values_list("task", "label_set"))
    return [
        tables.asked(
            question=each.pk,
            task_ref=f"{each.task.project.key}-{each.task.number}",
            agent_id=each.run.agent_id,
            priority=each.task.priority,
            label_set_id=label_sets.get(each.task_id),
            **{name: getattr(each, name) for name in _COPIED},
        )
        for each in asked
    ]


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
