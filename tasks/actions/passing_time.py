"""The verbs of the engine: what happens to tasks because time has passed. Safe with any number of engines."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, DateTimeField, Exists, F, OuterRef, Q, QuerySet, When

from tasks import clock
from tasks.actions import timekeeping
from tasks.actions.funnel import backoff, failure_of, give_back_pulled, move, status_changed, stop
from tasks.actions.locking import hold
from tasks.actions.transactions import in_transaction, verb
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.events.settled import settled
from tasks.models import EngineState, Project, Question, Run, RunStatus, Task
from tasks.transitions import OPEN, Status
from tasks.verbs import catalogue

LOSS_BASE, LOSS_CAP = timedelta(seconds=5), timedelta(minutes=5)
LEASE_LOSS_LIMIT = 5
#: The code of a failure that nobody reported.
LEASE_EXPIRED = "lease_expired"
BATCH = 200
#: How long before its due date an open task is reported as due soon.
DUE_SOON = timedelta(hours=24)


def begin_tick() -> timedelta:
    """Record that an engine runs now, and return how long none did before; corrects a clock that was set back.

    An engine that was away needs no repair: servers renewed leases meanwhile. See ``timekeeping``.
    """
    now = clock.now()
    state, created = EngineState.objects.get_or_create(pk=1, defaults={"last_tick_at": now})
    last = state.last_tick_at
    set_back = timekeeping.watch.tick(now, last)
    if created:
        return timedelta(0)
    place = settled.place()
    if set_back:
        _set_right(set_back, last=last, now=now, place=place)
    else:
        _move_tick(last, now, place)
    return max(now - last, timedelta(0))


def _move_tick(last: datetime, now: datetime, place: int) -> bool:
    """Note the tick unless another engine was faster. One statement: on SQLite a transaction holds up all writers."""
    rows = EngineState.objects.filter(pk=1, last_tick_at=last)
    return bool(rows.update(last_tick_at=now, settled_event_id=place))


@in_transaction
def _set_right(by: timedelta, *, last: datetime, now: datetime, place: int) -> None:
    if _move_tick(last, now, place):
        timekeeping.set_right(by, last=last, now=now)


def expired_runs(limit: int = BATCH) -> list[Run]:
    """Active runs whose lease has ended, the earliest first."""
    return _over(limit, stop_delivered_at__isnull=True)


def _over(limit: int, **which: bool) -> list[Run]:
    """Active runs whose lease has ended, the earliest first, with what ending them reads."""
    over = Run.objects.expired(timekeeping.ends_before(clock.now())).filter(**which).order_by("lease_expires_at")
    # First from one table: nearly always there are none, and a join may be begun at the wrong end.
    ids = list(over.values_list("pk", flat=True)[:limit])
    if not ids:
        return []
    runs = Run.objects.select_related("task__project", "agent__user").in_bulk(ids)
    return [runs[pk] for pk in ids if pk in runs]


@verb(catalogue.EXPIRE)
def expire_run(*, run: Run) -> bool:
    """End a run whose lease is over and return its task, after a delay, for another try.

    False if the holder renewed or another engine was faster: the row decides, not the clock.
    The fifth loss of a lease fails the task.
    """
    over = Run.objects.expired(timekeeping.ends_before(clock.now())).filter(pk=run.pk, stop_delivered_at__isnull=True)
    locked = over.select_for_update(of=("self",), no_key=True).select_related("task__project", "agent__user").first()
    if locked is None:
        return False
    run, task = locked, locked.task
    losses = task.lease_losses + 1
    again = losses < LEASE_LOSS_LIMIT
    held = hold([task], Status.NOT_STARTED if again else Status.FAILED)
    stop(run, RunStatus.EXPIRED, held=held)
    silent = f"{run.agent.slug} was not heard from until its lease ended; that costs no attempt."
    shown = failure_of(run, code=LEASE_EXPIRED, detail=silent, attempt=task.attempts + 1, at=held.at)
    kept: dict[str, Any] = {"lease_losses": losses, "last_failure": shown}
    if again:
        until = held.at + backoff(losses, base=LOSS_BASE, cap=LOSS_CAP)
        moved = move(task, "expire", Status.NOT_STARTED, held=held, actor=None, deferred_until=until, **kept)
        give_back_pulled(task, run.agent_id, now=held.at)
    else:
        moved = move(task, "expire", Status.FAILED, held=held, actor=None, **kept)
    outcome = RunStatus.EXPIRED.value
    record(status_changed(task, moved, held=held, actor=None, run=run, outcome=outcome), *moved.around)
    return True


def unstopped_runs(limit: int = BATCH) -> list[Run]:
    """Active runs whose holder was told to stop and has not ended them in time, the earliest first."""
    return _over(limit, stop_delivered_at__isnull=False)


@verb(catalogue.REVOKE)
def revoke_run(*, run: Run) -> bool:
    """End a run whose holder was told to stop and did not end it in time. Its task comes back at once, at no cost.

    Who was assigned by hand stays assigned, as after a release. False if the holder or another engine was faster.
    """
    over = Run.objects.expired(timekeeping.ends_before(clock.now())).filter(pk=run.pk, stop_delivered_at__isnull=False)
    locked = over.select_for_update(of=("self",), no_key=True).select_related("task__project", "agent__user").first()
    if locked is None:
        return False
    run, task = locked, locked.task
    held = hold([task], Status.NOT_STARTED)
    stop(run, RunStatus.REVOKED, held=held)
    moved = move(task, "revoke", Status.NOT_STARTED, held=held, actor=None)
    give_back_pulled(task, run.agent_id, now=held.at)
    outcome = RunStatus.REVOKED.value
    record(status_changed(task, moved, held=held, actor=None, run=run, outcome=outcome), *moved.around)
    return True


def count_lost_leases(count: int) -> None:
    """Add to what all engines together have ended, for monitoring."""
    EngineState.objects.filter(pk=1).update(leases_lost=F("leases_lost") + count)


def report_stalled(limit: int = BATCH) -> int:
    """Mark runs that are alive but made no progress within their project's limit; each is reported once per stall."""
    # As all steps of a tick: looked for without a lock, since nearly always nothing is due.
    today, limits = clock.now(), _stall_limits()
    is_due = _quiet(today, limits).exists() and _stalling(today, limits).exists()
    return _mark_stalled(limit) if is_due else 0


def _quiet(today: datetime, limits: Sequence[int]) -> QuerySet[Run]:
    """Runs with a lease, not marked yet, that made no progress within the shortest limit of any project."""
    unmarked = Run.objects.active().filter(lease_seconds__isnull=False, stalled_at__isnull=True)
    return unmarked.filter(last_progress_at__lt=today - timedelta(seconds=min(limits, default=0)))


def _stalling(today: datetime, limits: Sequence[int]) -> QuerySet[Run]:
    """Those of ``_quiet`` that made no progress within the limit of their own project, and wait for nobody."""
    since = Case(
        *(
            When(task__project__stalled_after_seconds=seconds, then=today - timedelta(seconds=seconds))
            for seconds in limits
        ),
        default=today - timedelta(days=3650),
        output_field=DateTimeField(),
    )
    # Whoever waits for people, or did until shortly, does not stall.
    asked = Question.objects.filter(run=OuterRef("pk")).filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=OuterRef("since"))
    )
    return _quiet(today, limits).annotate(since=since).filter(~Exists(asked), last_progress_at__lt=F("since"))


@in_transaction
def _mark_stalled(limit: int) -> int:
    alive = (
        _stalling(clock.now(), _stall_limits())
        .select_related("task__project", "agent__user")
        .order_by("last_progress_at")
        .select_for_update(skip_locked=True, of=("self", "task"), no_key=True)[:limit]
    )
    runs, now = list(alive), clock.now()
    events = []
    for run in runs:
        marked = Run.objects.filter(
            pk=run.pk, ended_at__isnull=True, stalled_at__isnull=True, last_progress_at=run.last_progress_at
        ).update(stalled_at=now)
        if marked:
            events.append(
                event(
                    kinds.TASK_STALLED,
                    at=now,
                    actor=None,
                    task=run.task,
                    run=run,
                    agent=run.agent,
                    last_progress_at=run.last_progress_at.isoformat(),
                )
            )
    record(*events)
    return len(events)


def _stall_limits() -> list[int]:
    # Of all projects: they are few, and active runs may be many.
    return list(Project.objects.order_by().values_list("stalled_after_seconds", flat=True).distinct())


def _hold_free(tasks: QuerySet[Task], limit: int) -> tuple[list[Task], datetime]:
    """Lock and return the rows that no other transaction holds, and the time; the rest come with the next tick.

    So a batch never waits.
    """
    free = tasks.select_related("project").select_for_update(skip_locked=True, of=("self",), no_key=True)
    return list(free[:limit]), clock.now()


def _hold_free_by_due_date(tasks: QuerySet[Task], limit: int) -> tuple[list[Task], datetime]:
    """``_hold_free`` of open tasks, status by status, so that each walks its index in the order of due dates."""
    rows: list[Task] = []
    for status in sorted(OPEN):
        if len(rows) < limit:
            rows += _hold_free(tasks.filter(status=status).order_by("due_at"), limit - len(rows))[0]
    return rows, clock.now()


def wake_deferred(limit: int = BATCH) -> int:
    """Report tasks whose start time has come. They were already claimable; this makes it known."""
    return _wake_deferred(limit) if _waking().exists() else 0


def _waking() -> QuerySet[Task]:
    return Task.objects.filter(status=Status.NOT_STARTED, deferred_until__lte=clock.now())


@in_transaction
def _wake_deferred(limit: int) -> int:
    rows, now = _hold_free(_waking().order_by("deferred_until"), limit)
    events = []
    for task in rows:
        woken = Task.objects.filter(pk=task.pk, status=Status.NOT_STARTED, deferred_until=task.deferred_until).update(
            deferred_until=None, version=F("version") + 1, updated_at=now
        )
        if woken:
            events.append(event(kinds.TASK_UNDEFERRED, at=now, actor=None, task=task, ready=task.open_blockers == 0))
    record(*events)
    return len(events)


def report_overdue(limit: int = BATCH) -> int:
    """Report, once per due date, open tasks whose due date has passed."""
    return _report_overdue(limit) if _late().exists() else 0


def _late() -> QuerySet[Task]:
    return Task.objects.open().filter(due_at__lt=clock.now(), overdue_since__isnull=True)


@in_transaction
def _report_overdue(limit: int) -> int:
    rows, now = _hold_free_by_due_date(_late(), limit)
    events = []
    for task in rows:
        marked = Task.objects.filter(pk=task.pk, overdue_since__isnull=True, due_at=task.due_at).update(
            overdue_since=now, version=F("version") + 1, updated_at=now
        )
        if marked:
            assert task.due_at is not None
            events.append(
                event(kinds.TASK_DUE_DATE_PASSED, at=now, actor=None, task=task, due_at=task.due_at.isoformat())
            )
    record(*events)
    return len(events)


def report_due_soon(limit: int = BATCH) -> int:
    """Report, once per due date, open tasks that fall due within ``DUE_SOON``, but not overdue ones."""
    return _report_due_soon(limit) if _near().exists() else 0


def _near() -> QuerySet[Task]:
    today = clock.now()
    return Task.objects.open().filter(due_at__gte=today, due_at__lt=today + DUE_SOON, due_soon_since__isnull=True)


@in_transaction
def _report_due_soon(limit: int) -> int:
    rows, now = _hold_free_by_due_date(_near(), limit)
    events = []
    for task in rows:
        # Nothing that a client sees changes, so the version stays the same: no edit should fail because of it.
        marked = Task.objects.filter(pk=task.pk, due_soon_since__isnull=True, due_at=task.due_at).update(
            due_soon_since=now
        )
        if marked:
            assert task.due_at is not None
            events.append(
                event(kinds.TASK_DUE_DATE_NEARED, at=now, actor=None, task=task, due_at=task.due_at.isoformat())
            )
    record(*events)
    return len(events)
