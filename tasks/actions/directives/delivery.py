"""Delivery: a reply to the holder of a run brings all its directives that are not acknowledged, the oldest first."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasks import clock
from tasks.actions.directives import queue
from tasks.actions.directives.source import Directive
from tasks.actions.locking import lock_runs, lock_tasks
from tasks.actions.transactions import in_transaction
from tasks.models import Run

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Outputs = list[dict[str, Any]]


def deliver(runs: Sequence[Run], *, actor: "User") -> dict[UUID, Outputs]:
    """What the replies to ``actor``, who holds these runs, bring, by run; marks as delivered what was queued.

    Costs nothing where nothing is queued. From the delivery of a stop on the run may only be ended: ``runs`` then show
    how long that may take. To be called when the reply is made, after the verb.
    """
    due = [run for run in runs if run.has_directives and run.ended_at is None]
    if not due:
        return {}
    pending = queue.pending(due)
    if all(pending[run.pk] for run in due) and not any(
        each.is_queued for queued in pending.values() for each in queued
    ):
        return _outputs(pending)
    return _deliver(due, actor)


@in_transaction
def _deliver(runs: Sequence[Run], actor: "User") -> dict[UUID, Outputs]:
    active = Run.objects.active().filter(pk__in=[run.pk for run in runs])
    locked = {run.pk: run for run in lock_runs(active.select_related("task__project", "agent__user"))}
    # Also the tasks, so that their events stand in the order of their times.
    lock_tasks(run.task_id for run in locked.values())
    now = clock.now()
    for run in locked.values():
        for source in queue.SOURCES:
            source.deliver(run, at=now, actor=actor)
    pending = queue.pending(locked.values())
    if idle := [pk for pk in locked if not pending[pk]]:
        Run.objects.filter(pk__in=idle).update(has_directives=False)
    for run in runs:
        if (current := locked.get(run.pk)) is not None:
            run.stop_delivered_at, run.has_directives = current.stop_delivered_at, run.pk not in idle
            run.lease_seconds, run.lease_expires_at = current.lease_seconds, current.lease_expires_at
    return _outputs(pending)


def shown(runs: Sequence[Run]) -> dict[UUID, Outputs]:
    """The same as ``deliver`` without delivering, for answers that must not change anything."""
    return _outputs(queue.pending(runs))


def _outputs(pending: Mapping[UUID, Sequence[Directive]]) -> dict[UUID, Outputs]:
    return {pk: [directive.output() for directive in directives] for pk, directives in pending.items()}
