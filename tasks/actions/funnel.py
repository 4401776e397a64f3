"""What all verbs share: the transaction, the conditional move, and what a move means to the tasks around it."""

import functools
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When

from tasks import clock
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
LOCK_NOT_AVAILABLE = "55P03"


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
                state = getattr(error.__cause__, "sqlstate", "")
                if state == LOCK_NOT_AVAILABLE:
                    raise Contended("Others held what this needs for too long.", "Try again later.") from None
                # PostgreSQL undoes one of two transactions that wait for each other. The order of locks keeps verbs
                # from it; this is for what else may hold locks, such as a person at the database's prompt.
                if race == RACES - 1 or state != DEADLOCK_DETECTED:
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


@dataclass(frozen=True)
class Held:
    """The locks that a move needs are held, since ``at``: the time of all that the verb writes.

    ``dependents``: ids of the dependents among them; None where the database has no row locks, and so no race.
    """

    at: datetime
    dependents: frozenset[int] | None = None


@dataclass
class Moved:
    """What a move did: its facts for the event of each task, the events of the tasks around, and those made ready."""

    facts: dict[str, Any] = field(default_factory=dict)
    around: list[Event] = field(default_factory=list)
    unblocked: list[Task] = field(default_factory=list)


def move(task: Task, verb: str, target: Status, *, held: Held, actor: "User | None", **changes: Any) -> Moved:
    """Move ``task`` to ``target``; see ``move_all``."""
    return move_all([task], verb, target, held=held, actor=actor, **changes)


def move_all(
    tasks: Sequence[Task], verb: str, target: Status, *, held: Held, actor: "User | None", **changes: Any
) -> Moved:
    """Move tasks of one status to ``target`` by one UPDATE that holds only where the status is still the one we read.

    Also brings the counters of dependents and parents up to date, and closes or reopens assignments with the tasks.
    ``changes`` are further columns; what comes back to be begun rests until the later of its ``deferred_until`` and its
    ``start_after``. The verb records the event of each task, with the facts that this returns and its own.
    Raises ``IllegalTransition`` where the table has no such move, ``LostRace`` where somebody was faster with any.
    """
    now, source = held.at, Status(tasks[0].status)
    for task in tasks:
        if task.status != source or not is_legal(verb, task.status, target):
            raise illegal(passive_of(verb), task)
    rest_until = None
    if target == Status.NOT_STARTED:
        rest_until = changes.get("deferred_until")
        # Asked of the row: start_after may have been edited while the task was under way.
        later = When(start_after__gt=rest_until or now, then=F("start_after"))
        changes["deferred_until"] = Case(later, default=Value(rest_until, DateTimeField()))
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
    moved = Moved({"verb": verb, "from": source.value, "to": target.value})
    for task in tasks:
        task.status, task.updated_at, task.version = target, now, task.version + 1
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):
                setattr(task, name, value)
        if target == Status.NOT_STARTED:
            ahead = [moment for moment in (task.start_after, rest_until) if moment is not None and moment > now]
            task.deferred_until = max(ahead, default=None)
    if target in TERMINAL:
        Assignment.objects.active().filter(task__in=tasks).update(ended_at=now, end_reason=AssignmentEnd.CLOSED)
    for task in tasks:
        if source in TERMINAL and target not in TERMINAL:
            _revive_assignments(task)
        _move_the_tasks_around(task, source, target, held=held, actor=actor, moved=moved)
    return moved


def status_changed(
    task: Task,
    moved: Moved,
    *,
    held: Held,
    actor: "User | None",
    run: Run | None = None,
    agent: Agent | None = None,
    **facts: Any,
) -> Event:
    """The one event of a verb that moved ``task``: from where to where, and its ``facts`` where they say something.

    ``run`` is the one that the verb began, ended or judged; it names the agent, where ``agent`` does not.
    """
    said = {name: value for name, value in facts.items() if value not in (None, "", [])}
    return event(
        kinds.TASK_STATUS_CHANGED,
        at=held.at,
        actor=actor,
        task=task,
        run=run,
        agent=run.agent if run else agent,
        **moved.facts,
        **said,
    )


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


def _fails(source: str, target: str) -> bool:
    """Whether this move leaves what depends on the task blocked, so that somebody has to decide."""
    return target in (Status.FAILED, Status.CANCELLED) and source not in TERMINAL


#: The tasks ``ids`` and all that depend on those of ``completing``, in the order in which every verb locks tasks.
#: One statement for both, as the ORM's OR of a list and a subquery would read the whole table.
_LOCK_WITH_DEPENDENTS = f"""
SELECT id FROM {Task._meta.db_table}
WHERE id = ANY(%s || ARRAY(SELECT task_id FROM {Dependency._meta.db_table} WHERE depends_on_id = ANY(%s)))
ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - our own names


def hold(tasks: Sequence[Task], target: str) -> Held:
    """Lock ``tasks`` and those around that will hear of it when they go to ``target``; then look at the clock.

    Whoever ends or begins a run locks that first. What is read of the tasks before this is only believed where the
    move finds it unchanged.
    """
    if not connection.features.has_select_for_update:
        return Held(clock.now())
    source = tasks[0].status
    ids = {task.pk for task in tasks}
    locked: set[int] = set()
    if settles_child(source) != settles_child(target):
        ids |= {task.parent_id for task in tasks if task.parent_id}
    if satisfies_dependency(source) != satisfies_dependency(target) or _fails(source, target):
        with connection.cursor() as cursor:
            cursor.execute(_LOCK_WITH_DEPENDENTS, [sorted(ids), [task.pk for task in tasks]])
            locked = {pk for (pk,) in cursor.fetchall()}
    else:
        lock_tasks(ids)
    return Held(clock.now(), frozenset(locked))


def _move_the_tasks_around(
    task: Task, source: str, target: str, *, held: Held, actor: "User | None", moved: Moved
) -> None:
    """Update dependents and parent for ``task`` going from ``source`` to ``target``, in the same transaction.

    Raises ``LostRace`` where a dependent has come since they were locked.
    """
    dependents_change = satisfies_dependency(source) - satisfies_dependency(target)
    parent_change = settles_child(source) - settles_child(target)
    fails = _fails(source, target)
    deltas: Counter[int] = Counter()
    dependents: set[int] = set()
    if dependents_change or fails:
        dependents = set(Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True))
        if held.dependents is not None and not dependents <= held.dependents:
            raise LostRace
    if dependents_change:
        for pk in dependents:
            deltas[pk] += dependents_change
    if parent_change and task.parent_id:
        deltas[task.parent_id] += parent_change
    around = shift_blockers(deltas, now=held.at, actor=actor, cause=task)
    if fails and dependents:
        failed = dependency_failed({pk: {str(target): [task.ref]} for pk in dependents}, now=held.at, actor=actor)
        # A parent may depend on its child as well: one event says both.
        around.events = [each for each in around.events if each.task_id not in failed] + list(failed.values())
    moved.around += around.events
    moved.unblocked += around.unblocked


def dependency_failed(
    failed: Mapping[int, Mapping[str, Any]], *, now: datetime, actor: "User | None"
) -> dict[int, Event]:
    """The event of each open task among these (by id): somebody has to decide, for what it waits for has ``failed``.

    ``failed``: for each task the refs of the others by their status, ``failed`` or ``cancelled``.
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


@dataclass
class Shifted:
    """What other blockers did to tasks: an event for each that could or can begin, and those that they made ready."""

    events: list[Event] = field(default_factory=list)
    unblocked: list[Task] = field(default_factory=list)


def shift_blockers(
    deltas: Mapping[int, int], *, now: datetime, actor: "User | None", cause: Task | None = None
) -> Shifted:
    """Add to ``open_blockers`` of the tasks named by id, and record those that became free or blocked."""
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
        # Where it was blocked and still is nothing begins, but whoever shows the number must hear of it.
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


def slugs(agents: Iterable[Agent]) -> list[str]:
    """How an event names several agents."""
    return [agent.slug for agent in agents]


def active_run(task: Task, *, lock: bool = False) -> Run | None:
    """The active run of ``task``, if there is one; locked on demand, as every verb locks runs before tasks."""
    runs = Run.objects.active().filter(task=task).select_related("agent")
    if lock:
        runs = runs.select_for_update(of=("self",), no_key=True)
    run = runs.first()
    if run is not None:
        run.task = task
    return run


def stop(run: Run | None, status: RunStatus, *, held: Held) -> None:
    """End a locked run on behalf of staff; where there is none this does nothing."""
    if run is not None and not end_run(run, status, now=held.at):
        raise LostRace


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
