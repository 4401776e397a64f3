"""What staff do with a task as a whole: cancel, reopen, release from its holder."""

from typing import TYPE_CHECKING

from taskproject.prepared.together import LostRace
from tasks.actions.funnel import active_run, load_task, move, require_legal, status_changed, stop
from tasks.actions.holding import Fenced
from tasks.actions.locking import hold
from tasks.actions.runs import give_back
from tasks.actions.transactions import verb
from tasks.events.recording import record
from tasks.models import RunStatus, Task
from tasks.permissions import require
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@verb(catalogue.CANCEL)
def cancel_task(*, actor: "User", task: Task, note: str = "") -> Task:
    """Give the task up; its active run ends. Its dependents stay blocked, which is reported.

    Raises ``NotPermitted``, ``IllegalTransition`` for a task that has ended.
    """
    task = load_task(task)
    require(actor, "cancel", task)
    require_legal(catalogue.CANCEL, task)
    run = active_run(task, lock=True)
    held = hold([task], Status.CANCELLED)
    stop(run, RunStatus.CANCELLED, held=held)
    moved = move(task, "cancel", Status.CANCELLED, held=held, actor=actor)
    outcome = RunStatus.CANCELLED.value if run else None
    cancelled = status_changed(task, moved, held=held, actor=actor, run=run, outcome=outcome, note=note)
    record(cancelled, *moved.around)
    return task


@verb(catalogue.REOPEN)
def reopen_task(*, actor: "User", task: Task, note: str = "") -> Task:
    """Return an ended task to *not started*, with fresh attempts; its history stays.

    Raises ``NotPermitted``, ``IllegalTransition`` for a task that has not ended.
    """
    task = load_task(task)
    require(actor, "reopen", task)
    require_legal(catalogue.REOPEN, task)
    held = hold([task], Status.NOT_STARTED)
    moved = move(
        task,
        "reopen",
        Status.NOT_STARTED,
        held=held,
        actor=actor,
        attempts=0,
        lease_losses=0,
        last_failure=None,
        due_soon_since=None,
        overdue_since=None,
    )
    record(status_changed(task, moved, held=held, actor=actor, note=note), *moved.around)
    return task


@verb(catalogue.RELEASE)
def release_task(*, actor: "User", task: Task, note: str = "") -> Task:
    """Staff return a task from its holder; it costs no attempt. The holder's next call gets ``lease_lost``.

    Raises ``NotPermitted``, ``IllegalTransition`` for a task that nobody is working on.
    """
    task = load_task(task)
    run = active_run(task, lock=True)
    require(actor, "release", task, run=run)
    require_legal(catalogue.RELEASE, task)
    if run is None:
        raise LostRace
    try:
        return give_back(run, reason=note, checkpoint=None, actor=actor)
    except Fenced:
        raise LostRace from None
