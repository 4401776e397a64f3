"""What tasks wait for, counted: which become free or blocked, and the events that say so. Part of running verbs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F

from tasks.events import kinds
from tasks.events.recording import event
from tasks.models import Event, Task
from tasks.transitions import TERMINAL, Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass
class Shifted:
    """The effect of changed blockers: an event for each task that was or is now unblocked, and the tasks made ready."""

    events: list[Event] = field(default_factory=list)
    unblocked: list[Task] = field(default_factory=list)


def shift_blockers(
    deltas: Mapping[int, int], *, now: datetime, actor: "User | None", cause: Task | None = None
) -> Shifted:
    """Add to ``open_blockers`` of these tasks (by id), and record which became unblocked or blocked."""
    shifted = Shifted()
    deltas = {pk: delta for pk, delta in deltas.items() if delta}
    if not deltas:
        return shifted
    tasks = Task.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=deltas).select_related("project")
    for task in tasks.order_by("pk"):
        before, after = task.open_blockers, task.open_blockers + deltas[task.pk]
        task.open_blockers = after
        if task.status != Status.NOT_STARTED:
            continue
        facts: dict[str, Any] = {"open": after}
        if cause is not None:
            facts["by"] = cause.ref
        # A task that stays blocked does not become ready, but pages that show the number must be notified.
        kind = kinds.TASK_BLOCKERS_CHANGED if before and after else kinds.TASK_BLOCKED
        if not after:
            kind = kinds.TASK_UNBLOCKED
            shifted.unblocked.append(task)
        shifted.events.append(event(kind, at=now, actor=actor, task=task, **facts))
    for delta in sorted(set(deltas.values())):
        ids = [pk for pk, d in deltas.items() if d == delta]
        Task.objects.filter(pk__in=ids).update(
            open_blockers=F("open_blockers") + delta, version=F("version") + 1, updated_at=now
        )
    return shifted


def dependency_failed(
    failed: Mapping[int, Mapping[str, Any]], *, now: datetime, actor: "User | None"
) -> dict[int, Event]:
    """An event for each open task among these (by id): somebody must decide, because what it waits for has ``failed``.

    ``failed``: per task, the refs of the others by status, ``failed`` or ``cancelled``.
    """
    waiting = Task.objects.filter(pk__in=failed).exclude(status__in=TERMINAL).select_related("project").order_by("pk")
    return {
        task.pk: event(
            kinds.TASK_DEPENDENCY_FAILED,
            at=now,
            actor=actor,
            task=task,
            open=task.open_blockers,
            **failed[task.pk],
        )
        for task in waiting
    }
