"""What all verbs share: the transaction, the conditional move, and what a move means to the tasks around it."""

import functools
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When

from tasks.errors import Contended, IllegalTransition, Invalid, NotFound
from tasks.events import kinds
from tasks.events.recording import event
from tasks.models import (
    Agent,
    Assignment,
    AssignmentDecision,
    AssignmentEnd,
    AssignmentSource,
    Dependency,
    Event,
    Membership,
    Role,
    Run,
    RunStatus,
    Task,
)
from tasks.transitions import TERMINAL, Status, allowed, is_legal, satisfies_dependency, settles_child
from tasks.verbs import Verb
from tasks.verbs.catalogue import passive_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

P = ParamSpec("P")
R = TypeVar("R")

RACES = 5
DEADLOCK_DETECTED = "40P01"


class LostRace(Exception):
    """Another transaction changed the row between our read and our write; read again and decide anew."""


#: The function of each verb of the catalogue, by the verb's key.
FUNCTIONS: dict[str, Callable[..., Any]] = {}


def verb(declared: Verb, *, opens_transaction: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Bind a function to its declaration, which refuses what it may not be given; run it ``in_transaction``.

    ``opens_transaction``: False for one that does so itself, because it keeps something where it is refused.
    Raises ``Invalid`` with a sentence for each field that is wrong.
    """

    def bind(function: Callable[P, R]) -> Callable[P, R]:
        run = in_transaction(function) if opens_transaction else function

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if problems := declared.problems(kwargs):
                raise Invalid(dict(problems))
            return run(*args, **kwargs)

        assert declared.key not in FUNCTIONS, f"{declared.key} is bound twice."
        FUNCTIONS[declared.key] = checked
        return checked

    return bind


def in_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` in a transaction; after a lost race run it again, which then finds the exact reason."""

    @functools.wraps(function)
    def transacted(*args: P.args, **kwargs: P.kwargs) -> R:
        for race in range(RACES):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except LostRace:
                if race == RACES - 1:
                    raise Contended("Others changed this at the same moment.", "Try again.") from None
            except OperationalError as error:
                # PostgreSQL undoes one of two transactions that wait for each other. The order of locks keeps verbs
                # from it; this is for what else may hold locks, such as a person at the database's prompt.
                if race == RACES - 1 or getattr(error.__cause__, "sqlstate", "") != DEADLOCK_DETECTED:
                    raise
        raise AssertionError("unreachable")

    return transacted


def load_task(task: Task, *, lock: bool = False) -> Task:
    """The task as it is now, with its project; the instance that a door holds may be old."""
    tasks = Task.objects.select_related("project")
    if lock:
        tasks = tasks.select_for_update(of=("self",), no_key=True)
    try:
        return tasks.get(pk=task.pk)
    except Task.DoesNotExist:
        raise NotFound("This task no longer exists.") from None


def require_legal(declared: Verb, task: Task) -> None:
    """Raise ``IllegalTransition`` where ``task`` is in no status that the verb may be used in."""
    if task.status not in declared.statuses:
        raise illegal(declared.passive, task)


def illegal(passive: str, task: Task) -> IllegalTransition:
    return IllegalTransition(passive, task.ref, task.status, allowed(task.status))


@dataclass
class Moved:
    """What a move did: events to record, and the tasks that it made ready to begin."""

    events: list[Event] = field(default_factory=list)
    unblocked: list[Task] = field(default_factory=list)


def move(
    task: Task,
    verb: str,
    target: Status,
    *,
    now: datetime,
    actor: "User | None",
    run: Run | None = None,
    agent: Agent | None = None,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> Moved:
    """Move ``task`` to ``target``; see ``move_all``. The event names ``run``, and ``agent`` where there is no run."""
    about = {"run": run, "agent": run.agent if run else agent}
    return move_all([task], verb, target, now=now, actor=actor, about=about, data=data, **changes)


def move_all(
    tasks: Sequence[Task],
    verb: str,
    target: Status,
    *,
    now: datetime,
    actor: "User | None",
    about: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> Moved:
    """Move tasks of one status to ``target`` by one UPDATE that holds only where the status is still the one we read.

    Also brings the counters of dependents and parents up to date, and closes or reopens assignments with the tasks.
    ``changes`` are further columns; what comes back to be begun rests until the later of its ``deferred_until`` and its
    ``start_after``. ``about`` names run or agent of the events, ``data`` their further words.
    Raises ``IllegalTransition`` where the table has no such move, ``LostRace`` where somebody was faster with any.
    """
    source = Status(tasks[0].status)
    for task in tasks:
        if task.status != source or not is_legal(verb, task.status, target):
            raise illegal(passive_of(verb), task)
    rest_until = None
    if target == Status.NOT_STARTED:
        rest_until = changes.get("deferred_until")
        # Asked of the row: start_after may have been edited while the task was under way.
        later = When(start_after__gt=rest_until or now, then=F("start_after"))
        changes["deferred_until"] = Case(later, default=Value(rest_until, DateTimeField()))
    foreseen = lock_all_around(tasks, source, target)
    as_read = Q(pk__in=[task.pk for task in tasks])
    if settles_child(source) != settles_child(target):
        # The parent's counter moves too, so it must still be the parent.
        as_read = functools.reduce(operator.or_, (Q(pk=task.pk, parent=task.parent_id) for task in tasks))
    changed = Task.objects.filter(as_read, status=source).update(
        status=target, updated_at=now, version=F("version") + 1, **changes
    )
    if changed != len(tasks):
        raise LostRace
    if source == Status.NOT_STARTED:
        end_records_of_nobody([task.pk for task in tasks], now)
    moved = Moved()
    words = {"from": source.value, "to": target.value, "verb": verb, **(data or {})}
    for task in tasks:
        task.status, task.updated_at, task.version = target, now, task.version + 1
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):
                setattr(task, name, value)
        if target == Status.NOT_STARTED:
            ahead = [moment for moment in (task.start_after, rest_until) if moment is not None and moment > now]
            task.deferred_until = max(ahead, default=None)
        moved.events.append(event(kinds.TASK_STATUS_CHANGED, at=now, actor=actor, task=task, **(about or {}), **words))
    if target in TERMINAL:
        Assignment.objects.active().filter(task__in=tasks).update(ended_at=now, end_reason=AssignmentEnd.CLOSED)
    for task in tasks:
        if source in TERMINAL and target not in TERMINAL:
            _revive_assignments(task)
        around = tell_the_tasks_around(task, source, target, now=now, actor=actor, foreseen=foreseen)
        moved.events += around.events
        moved.unblocked += around.unblocked
    return moved


def _revive_assignments(task: Task) -> None:
    active = set(Assignment.objects.active().filter(task=task).values_list("agent_id", flat=True))
    workers = Membership.objects.filter(project=task.project_id).exclude(role=Role.VIEWER).values("user")
    closed = Assignment.objects.filter(task=task, end_reason=AssignmentEnd.CLOSED, agent__user__in=workers)
    # What was offered is offered anew, to whoever is there now.
    closed = closed.exclude(source=AssignmentSource.AUTO)
    for assignment in closed.order_by("-id"):
        if assignment.agent_id in active:
            continue
        active.add(assignment.agent_id)
        Assignment.objects.filter(pk=assignment.pk).update(ended_at=None, end_reason="")


def touch(ids: Iterable[int], now: datetime) -> None:
    """Move the version of these tasks: something that is shown with them has changed beside their own row."""
    Task.objects.filter(pk__in=list(ids)).update(updated_at=now, version=F("version") + 1)


def end_records_of_nobody(tasks: Iterable[int] | QuerySet[Task], now: datetime) -> None:
    """These tasks (by id) wait for nobody to be found any more: what was kept of why nobody was is history."""
    of_nobody = AssignmentDecision.objects.filter(agent__isnull=True, ended_at__isnull=True)
    of_nobody.filter(task__in=tasks).update(ended_at=now)


def lock_tasks(ids: Iterable[int]) -> dict[int, str]:
    """Lock the tasks with these ids, in the order of ids, and return the status of each that is there.

    A verb that writes several tasks locks them by one call, before it writes the first: so no two of them wait for
    each other in a circle, whatever depends on what.
    """
    rows = Task.objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")
    return dict(rows.values_list("pk", "status"))


def lock_all_around(tasks: Sequence[Task], source: str, target: str) -> set[int] | None:
    """Lock those whose counters will move when ``tasks`` do, and with them the tasks; the ids of the dependents.

    One task alone needs no lock before its UPDATE. None where the database has no row locks, and so no race.
    """
    if not connection.features.has_select_for_update:
        return None
    dependents: set[int] = set()
    parents: set[int] = set()
    if satisfies_dependency(source) != satisfies_dependency(target):
        dependents.update(Dependency.objects.filter(depends_on__in=tasks).values_list("task_id", flat=True))
    if settles_child(source) != settles_child(target):
        parents = {task.parent_id for task in tasks if task.parent_id}
    if dependents or parents or len(tasks) > 1:
        lock_tasks([task.pk for task in tasks] + [*dependents, *parents])
    return dependents


def tell_the_tasks_around(
    task: Task,
    source: str,
    target: str,
    *,
    now: datetime,
    actor: "User | None",
    foreseen: set[int] | None = None,
) -> Moved:
    """Update dependents and parent for ``task`` going from ``source`` to ``target``, in the same transaction.

    ``foreseen``: the dependents that are locked already; raises ``LostRace`` where another one has come since.
    """
    dependents_change = satisfies_dependency(source) - satisfies_dependency(target)
    parent_change = settles_child(source) - settles_child(target)
    fails = target in (Status.FAILED, Status.CANCELLED) and source not in TERMINAL
    deltas: Counter[int] = Counter()
    dependents: set[int] = set()
    if dependents_change or fails:
        dependents = set(Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True))
    if dependents_change:
        if foreseen is not None and not dependents <= foreseen:
            raise LostRace
        for pk in dependents:
            deltas[pk] += dependents_change
    if parent_change and task.parent_id:
        deltas[task.parent_id] += parent_change
    moved = shift_blockers(deltas, now=now, actor=actor, cause=task)
    if fails and dependents:
        waiting = Task.objects.filter(pk__in=dependents).exclude(status__in=TERMINAL).select_related("project")
        moved.events += [
            event(kinds.TASK_DEPENDENCY_FAILED, at=now, actor=actor, task=other, dependency=task.ref, status=target)
            for other in waiting.order_by("pk")
        ]
    return moved


def shift_blockers(deltas: dict[int, int], *, now: datetime, actor: "User | None", cause: Task | None = None) -> Moved:
    """Add to ``open_blockers`` of the tasks named by id, and tell of those that became free or blocked."""
    moved = Moved()
    deltas = {pk: delta for pk, delta in deltas.items() if delta}
    if not deltas:
        return moved
    tasks = Task.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=deltas).select_related("project")
    for task in tasks.order_by("pk"):
        before, after = task.open_blockers, task.open_blockers + deltas[task.pk]
        task.open_blockers = after
        if task.status != Status.NOT_STARTED:
            continue
        by: dict[str, Any] = {"by": cause.ref} if cause else {}
        if before and after:
            # Nothing begins by this, but whoever shows the number must hear of it.
            moved.events.append(event(kinds.TASK_BLOCKERS_CHANGED, at=now, actor=actor, task=task, open=after, **by))
            continue
        kind = kinds.TASK_BLOCKED if after else kinds.TASK_UNBLOCKED
        moved.events.append(event(kind, at=now, actor=actor, task=task, **by))
        if not after:
            moved.unblocked.append(task)
    for delta in sorted(set(deltas.values())):
        ids = [pk for pk, d in deltas.items() if d == delta]
        Task.objects.filter(pk__in=ids).update(
            open_blockers=F("open_blockers") + delta, version=F("version") + 1, updated_at=now
        )
    return moved


def end_run(run: Run, status: RunStatus, *, now: datetime, **changes: Any) -> bool:
    """End an active run; False where it had ended already. The fence is the unique id and being active.

    Being active is asked through ``ended_at``: repeating the condition of the partial index on ``status``
    would let the planner walk that index's dead entries.
    """
    ended = Run.objects.filter(pk=run.pk, ended_at__isnull=True).update(status=status, ended_at=now, **changes)
    if ended:
        run.status, run.ended_at = status, now
        for name, value in changes.items():
            setattr(run, name, value)
    return bool(ended)


def run_ended(run: Run, *, now: datetime, actor: "User | None", **data: Any) -> Event:
    return event(
        kinds.RUN_ENDED,
        at=now,
        actor=actor,
        task=run.task,
        run=run,
        agent=run.agent,
        number=run.number,
        outcome=run.status,
        **data,
    )


def active_run(task: Task) -> Run | None:
    run = Run.objects.active().filter(task=task).select_related("agent").first()
    if run is not None:
        run.task = task
    return run


def stop_active_run(task: Task, status: RunStatus, *, now: datetime, actor: "User | None", **data: Any) -> list[Event]:
    """End the task's active run, if there is one, on behalf of staff."""
    run = active_run(task)
    if run is None:
        return []
    if not end_run(run, status, now=now):
        raise LostRace
    return [run_ended(run, now=now, actor=actor, **data)]


def give_back_pulled(task: Task, agent_id: int, *, now: datetime) -> None:
    """A task that was not finished is for anyone again where it was pulled or offered; what staff assigned stays."""
    unasked = (AssignmentSource.PULL, AssignmentSource.AUTO)
    Assignment.objects.active().filter(task=task, agent_id=agent_id, source__in=unasked).update(
        ended_at=now, end_reason=AssignmentEnd.GIVEN_BACK
    )


def backoff(failures: int, *, base: timedelta, cap: timedelta) -> timedelta:
    """How long a task rests after its n-th failure: U(0.5, 1) × min(cap, base × 2^(n−1)).

    Exponential backoff with "equal jitter", as in Marc Brooker, *Exponential Backoff And Jitter* (AWS, 2015).
    """
    full = min(cap, base * 2 ** min(failures - 1, 32))
    return random.uniform(0.5, 1.0) * full
