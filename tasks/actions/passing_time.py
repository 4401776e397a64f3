"""The verbs of the engine: what happens to tasks because time has passed. Safe with any number of engines."""

from datetime import timedelta

from django.db.models import Case, F, Q, QuerySet, When

from tasks import clock
from tasks.actions.funnel import backoff, give_back_pulled, in_transaction, move, run_ended, verb
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.events.settled import settled
from tasks.models import Assignment, EngineState, Run, RunStatus, Task
from tasks.transitions import OPEN, Status
from tasks.verbs import catalogue

LOSS_BASE, LOSS_CAP = timedelta(seconds=5), timedelta(minutes=5)
LEASE_LOSS_LIMIT = 5
BATCH = 200
#: How long before its due date an open task is told to be due soon.
DUE_SOON = timedelta(hours=24)


@in_transaction
def begin_tick() -> timedelta:
    """Note that an engine runs now, and return how long none did before.

    Where none ran for longer than half a run's lease, that lease is extended by the gap first: holders could not
    renew while the server was down, nor could who was offered a task accept it: offers stand as much longer. Only
    the engine that moves the clock forward extends.
    """
    now = clock.now()
    state, created = EngineState.objects.get_or_create(pk=1, defaults={"last_tick_at": now})
    if created:
        return timedelta(0)
    last, gap = state.last_tick_at, now - state.last_tick_at
    place = settled.place()
    moved = EngineState.objects.filter(pk=1, last_tick_at=last).update(last_tick_at=now, settled_event_id=place)
    if moved and gap > timedelta(seconds=15):
        half_lease = gap.total_seconds() * 2
        Run.objects.active().filter(lease_expires_at__gt=last, lease_seconds__lt=half_lease).update(
            lease_expires_at=F("lease_expires_at") + gap
        )
        Assignment.objects.active().filter(accept_by__gt=last).update(accept_by=F("accept_by") + gap)
    return max(gap, timedelta(0))


def expired_runs(limit: int = BATCH) -> list[Run]:
    """Active runs whose lease has ended, the longest ended first."""
    runs = Run.objects.expired(clock.now()).select_related("task__project", "agent__user")
    return list(runs.order_by("lease_expires_at")[:limit])


@verb(catalogue.EXPIRE)
def expire_run(*, run: Run) -> bool:
    """End a run whose lease is over and return its task, after a rest, for another try.

    False where the holder renewed or another engine was faster: the row decides, not the clock.
    The fifth loss of a lease fails the task.
    """
    now = clock.now()
    ended = Run.objects.filter(pk=run.pk, ended_at__isnull=True, lease_expires_at__lt=now).update(
        status=RunStatus.EXPIRED, ended_at=now
    )
    if not ended:
        return False
    run = Run.objects.select_related("task__project", "agent__user").get(pk=run.pk)
    task = run.task
    losses = task.lease_losses + 1
    if losses < LEASE_LOSS_LIMIT:
        rest = backoff(losses, base=LOSS_BASE, cap=LOSS_CAP)
        moved = move(
            task,
            "expire",
            Status.NOT_STARTED,
            now=now,
            actor=None,
            run=run,
            lease_losses=losses,
            deferred_until=now + rest,
        )
        give_back_pulled(task, run.agent_id, now=now)
    else:
        moved = move(task, "expire", Status.FAILED, now=now, actor=None, run=run, lease_losses=losses)
    record(run_ended(run, now=now, actor=None), *moved.events)
    return True


@in_transaction
def tell_stalled(limit: int = BATCH) -> int:
    """Mark runs that are alive but have not advanced for their project's limit; each is told once until it advances."""
    now = clock.now()
    allowance = Case(
        *(
            When(task__project__stalled_after_seconds=seconds, then=now - timedelta(seconds=seconds))
            for seconds in _stall_limits()
        ),
        default=now - timedelta(days=3650),
    )
    runs = (
        Run.objects.active()
        .filter(lease_seconds__isnull=False, stalled_at__isnull=True, last_progress_at__lt=allowance)
        .select_related("task__project", "agent__user")
        .order_by("last_progress_at")
        .select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit]
    )
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
                    number=run.number,
                    last_progress_at=run.last_progress_at.isoformat(),
                )
            )
    record(*events)
    return len(events)


def _stall_limits() -> list[int]:
    return list(
        Run.objects.active().order_by().values_list("task__project__stalled_after_seconds", flat=True).distinct()
    )


def _free_rows(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Those that no other transaction holds; the rest come with the next tick, so that a batch never waits."""
    return tasks.select_for_update(skip_locked=True, of=("self",), no_key=True)


@in_transaction
def wake_deferred(limit: int = BATCH) -> int:
    """Tell of tasks whose time to begin has come. They were claimable already; this makes it news."""
    now = clock.now()
    due = Task.objects.filter(status=Status.NOT_STARTED, deferred_until__lte=now).select_related("project")
    events = []
    for task in _free_rows(due.order_by("deferred_until"))[:limit]:
        woken = Task.objects.filter(pk=task.pk, status=Status.NOT_STARTED, deferred_until=task.deferred_until).update(
            deferred_until=None, version=F("version") + 1, updated_at=now
        )
        if woken:
            events.append(event(kinds.TASK_UNDEFERRED, at=now, actor=None, task=task, ready=task.open_blockers == 0))
    record(*events)
    return len(events)


@in_transaction
def tell_overdue(limit: int = BATCH) -> int:
    """Tell, once per due date, of open tasks whose due date has passed."""
    now = clock.now()
    late = Task.objects.filter(Q(status__in=sorted(OPEN)), due_at__lt=now, overdue_since__isnull=True)
    events = []
    for task in _free_rows(late.select_related("project").order_by("due_at"))[:limit]:
        told = Task.objects.filter(pk=task.pk, overdue_since__isnull=True, due_at=task.due_at).update(
            overdue_since=now, version=F("version") + 1, updated_at=now
        )
        if told:
            assert task.due_at is not None
            events.append(
                event(kinds.TASK_DUE_DATE_PASSED, at=now, actor=None, task=task, due_at=task.due_at.isoformat())
            )
    record(*events)
    return len(events)


@in_transaction
def tell_due_soon(limit: int = BATCH) -> int:
    """Tell, once per due date, of open tasks that fall due within ``DUE_SOON``; one that is overdue already is not."""
    now = clock.now()
    near = Task.objects.filter(
        Q(status__in=sorted(OPEN)), due_at__gte=now, due_at__lt=now + DUE_SOON, due_soon_since__isnull=True
    )
    events = []
    for task in _free_rows(near.select_related("project").order_by("due_at"))[:limit]:
        # Nothing that a client sees changes, so the version stays: nobody's edit should fail for it.
        told = Task.objects.filter(pk=task.pk, due_soon_since__isnull=True, due_at=task.due_at).update(
            due_soon_since=now
        )
        if told:
            assert task.due_at is not None
            events.append(
                event(kinds.TASK_DUE_DATE_NEARED, at=now, actor=None, task=task, due_at=task.due_at.isoformat())
            )
    record(*events)
    return len(events)
