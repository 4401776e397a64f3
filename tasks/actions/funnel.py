"""What all verbs share: the conditional move and its effects on related tasks."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Case, DateTimeField, F, QuerySet, When

from taskproject.errors import shortened
from taskproject.prepared.parameters import Parameter
from taskproject.prepared.querysets import prepared, prepared_update
from taskproject.prepared.together import LostRace
from taskproject.times import stamp
from tasks.actions.blockers import dependency_failed, shift_blockers
from tasks.actions.directives import queue
from tasks.actions.locking import Held, fails_dependents
from tasks.actions.unanswered import withdraw_all
from tasks.errors import IllegalTransition, NotFound
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


def load_task(task: Task, *, lock: bool = False) -> Task:
    """The task as it is now, with its project; the door's instance may be out of date."""
    tasks = Task.objects.select_related("project")
    if lock:
        tasks = tasks.select_for_update(of=("self",), no_key=True)
    try:
        return tasks.get(pk=task.pk)
    except Task.DoesNotExist:
        raise NotFound("This task no longer exists.") from None


def require_legal(declared: Verb, task: Task) -> None:
    """Raise ``IllegalTransition`` if the verb may not be used in the status of ``task``."""
    if task.status not in declared.statuses:
        raise illegal(declared.passive, task)


def illegal(passive: str, task: Task) -> IllegalTransition:
    return IllegalTransition(passive, task.ref, task.status, allowed(task.status))


@dataclass
class Moved:
    """What a move did: the facts for each task's event, the events of related tasks, and the tasks made ready."""

    facts: dict[str, Any] = field(default_factory=dict)
    around: list[Event] = field(default_factory=list)
    unblocked: list[Task] = field(default_factory=list)


#: Nobody works on a task of these statuses, and there is no result either.
_WITHOUT_PROGRESS = (Status.NOT_STARTED, Status.FAILED, Status.CANCELLED)
#: Of these statuses nobody needs an answer any more.
_WITHOUT_QUESTIONS = TERMINAL | {Status.IN_REVIEW}
#: How much of what went wrong the task has; the run has all of it.
DETAIL_ON_TASK = 500


_NEXT_VERSION = F("version") + 1
#: Read from the row: start_after may have been edited while the task was in progress.
_LATER_OF_REST_AND_START = Case(
    When(start_after__gt=Parameter("rest or now"), then=F("start_after")),
    default=Parameter("rest", DateTimeField()),
    output_field=DateTimeField(),
)


def _unchanged(
    rows: QuerySet[Task], source: Any, *, still: tuple[str, ...], without: tuple[str, ...], keeps_nothing: bool
) -> QuerySet[Task]:
    rows = rows.filter(status=source, **{name: Parameter(f"still {name}") for name in still})
    rows = rows.filter(**{f"{name}__isnull": True for name in without})
    return rows.filter(has_kept_directives=False) if keeps_nothing else rows


@prepared_update
def _as_read(
    tasks: Any, source: Any, *, still: tuple[str, ...], without: tuple[str, ...], keeps_nothing: bool
) -> QuerySet[Task]:
    """Tasks whose status is still ``source``, the columns in ``still`` what they were, and those ``without`` empty."""
    rows = Task.objects.filter(pk__any=tasks)
    return _unchanged(rows, source, still=still, without=without, keeps_nothing=keeps_nothing)


@prepared_update
def _one_as_read(
    task: Any, source: Any, *, still: tuple[str, ...], without: tuple[str, ...], keeps_nothing: bool
) -> QuerySet[Task]:
    rows = Task.objects.filter(pk=task)
    return _unchanged(rows, source, still=still, without=without, keeps_nothing=keeps_nothing)


def _nobody_yet() -> QuerySet[AssignmentDecision]:
    return AssignmentDecision.objects.filter(agent__isnull=True, ended_at__isnull=True)


@prepared_update
def _of_nobody(tasks: Any) -> QuerySet[AssignmentDecision]:
    return _nobody_yet().filter(task__id__any=tasks)


@prepared_update
def _assignments_of(tasks: Any) -> QuerySet[Assignment]:
    return Assignment.objects.active().filter(task__id__any=tasks)


@prepared
def _dependents_of(tasks: Any) -> QuerySet[Dependency, Any]:
    return Dependency.objects.filter(depends_on__id__any=tasks).order_by().values_list("depends_on_id", "task_id")


@prepared_update
def _active(run: Any) -> QuerySet[Run]:
    return Run.objects.filter(pk=run, ended_at__isnull=True)


def dependents_of(tasks: Sequence[int]) -> dict[int, set[int]]:
    """The tasks that depend on these, by the ids of these."""
    dependents: defaultdict[int, set[int]] = defaultdict(set)
    for task, dependent in _dependents_of.all(tasks=tasks):
        dependents[task].add(dependent)
    return dependents


def failure_of(run: Run, *, code: str, detail: str, attempt: int, at: datetime) -> dict[str, Any]:
    """What the task shows of a failed attempt, its ``attempt``-th: who, why, when."""
    detail = shortened(detail, DETAIL_ON_TASK)
    return {"agent": run.agent.slug, "code": code, "detail": detail, "at": stamp(at), "attempt": attempt}


def move(
    task: Task,
    verb: str,
    target: Status,
    *,
    held: Held,
    actor: "User | None",
    still: dict[str, Any] | None = None,
    **changes: Any,
) -> Moved:
    """Move ``task`` to ``target``; see ``move_all``."""
    return move_all([task], verb, target, held=held, actor=actor, still=still, **changes)


def move_all(
    tasks: Sequence[Task],
    verb: str,
    target: Status,
    *,
    held: Held,
    actor: "User | None",
    still: dict[str, Any] | None = None,
    own: Mapping[int, Mapping[str, Any]] | None = None,
    alone: bool = False,
    **changes: Any,
) -> Moved:
    """Move tasks of one status to ``target`` by one UPDATE, conditional on the status still being the one we read.

    Also updates the counters of dependents and parents, and closes or reopens assignments with the tasks; ``alone``:
    the caller has seen behind the locks that nothing depends on them. ``changes`` are further columns, ``own`` those of
    which each task, by its id, has its own values; a task that returns to *not started* is deferred until the later of
    its ``deferred_until`` and its ``start_after``. The progress of a task that nobody works on is over: its runs keep
    it. ``still`` are columns that chose the target and must not have changed since they were read. The verb records
    the event of each task, with these facts and its own.
    Raises ``IllegalTransition`` if the table has no such move, ``LostRace`` if somebody was faster with any of them.
    """
    now, source = held.at, Status(tasks[0].status)
    if target in _WITHOUT_PROGRESS:
        changes = {"progress_percent": 0, "progress_note": "", "progress_at": None} | changes
    for task in tasks:
        if task.status != source or not is_legal(verb, task.status, target):
            raise illegal(passive_of(verb), task)
    over: list[int] = []
    if target in _WITHOUT_QUESTIONS:
        [unanswered] = {task.open_questions for task in tasks}
        # None was asked since they were counted.
        still = (still or {}) | {"open_questions": unanswered}
        if unanswered:
            over = withdraw_all([task.pk for task in tasks], now)
            changes["open_questions"] = 0
    rest_until = None
    if target == Status.NOT_STARTED:
        rest_until = changes.get("deferred_until")
        changes["deferred_until"] = _LATER_OF_REST_AND_START
    keeping = [task for task in tasks if task.has_kept_directives]
    ids = [task.pk for task in tasks]
    columns: dict[str, Any] = {"status": target, "updated_at": now, "version": _NEXT_VERSION} | changes
    values: dict[str, Any] = {"now": now, "rest": rest_until, "rest or now": rest_until or now}

    by_parent: dict[int | None, list[Task]] = {None: list(tasks)}
    if settles_child(source) != settles_child(target):
        # The parent's counter changes too, so it must still be the parent.
        by_parent = defaultdict(list)
        for task in tasks:
            by_parent[task.parent_id].append(task)
    for parent, alike in by_parent.items():
        same = (still or {}) | ({"parent": parent} if settles_child(source) != settles_child(target) else {})
        conditions = values | {f"still {name}": value for name, value in same.items()} | {"source": source}
        conditions |= {
            "still": tuple(name for name, value in same.items() if value is not None),
            "without": tuple(name for name, value in same.items() if value is None),
            "keeps_nothing": target in TERMINAL and not keeping,
        }
        if own is None:
            _as_read.later(columns, rows=len(alike), tasks=[task.pk for task in alike], **conditions)
        else:
            _one_as_read.each_later([({**columns, **own[task.pk]}, {"task": task.pk, **conditions}) for task in alike])
    if source == Status.NOT_STARTED:
        _of_nobody.later({"ended_at": now}, tasks=ids)
    moved = Moved({"verb": verb, "from": source.value, "to": target.value})
    if over:
        moved.facts["questions"] = over
    for task in tasks:
        task.status, task.updated_at, task.version = target, now, task.version + 1
        for name, value in {**changes, **(own or {}).get(task.pk, {})}.items():
            if not hasattr(value, "resolve_expression"):
                setattr(task, name, value)
        if target == Status.NOT_STARTED:
            ahead = [moment for moment in (task.start_after, rest_until) if moment is not None and moment > now]
            task.deferred_until = max(ahead, default=None)
    if target in TERMINAL:
        for task in keeping:
            queue.drop_kept(task, at=now)
        _assignments_of.later({"ended_at": now, "end_reason": AssignmentEnd.CLOSED}, tasks=ids)
    for task in tasks:
        if source in TERMINAL and target not in TERMINAL:
            _revive_assignments(task)
        if not alone:
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
    """The single event of a verb that moved ``task``: from which status to which, and its ``facts`` that are not empty.

    ``run`` is the run that the verb started, ended or judged; its agent is the event's, unless ``agent`` is given.
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
    # Offers are made again, to the agents that are there now.
    closed = closed.exclude(source=AssignmentSource.AUTO)
    for assignment in closed.order_by("-id"):
        if assignment.agent_id in active:
            continue
        active.add(assignment.agent_id)
        Assignment.objects.filter(pk=assignment.pk).update(ended_at=None, end_reason="")


def touch(ids: Iterable[int], now: datetime) -> None:
    """Increase the version of these tasks: something shown with them has changed outside their own row."""
    Task.objects.filter(pk__in=list(ids)).update(updated_at=now, version=F("version") + 1)


def end_records_of_nobody(tasks: Iterable[int] | QuerySet[Task], now: datetime) -> None:
    """End the records of why nobody was found for these tasks (by id), which no longer wait for an agent."""
    _nobody_yet().filter(task__in=tasks).update(ended_at=now)


def _move_the_tasks_around(
    task: Task, source: str, target: str, *, held: Held, actor: "User | None", moved: Moved
) -> None:
    """Update dependents and parent when ``task`` goes from ``source`` to ``target``, in the same transaction.

    Raises ``LostRace`` if a dependent was added since they were locked.
    """
    dependents_change = satisfies_dependency(source) - satisfies_dependency(target)
    parent_change = settles_child(source) - settles_child(target)
    fails = fails_dependents(source, target)
    deltas: Counter[int] = Counter()
    dependents: set[int] = set()
    if held.alone:
        _dependents_of.none_later(tasks=[task.pk])
    elif dependents_change or fails:
        dependents = dependents_of([task.pk])[task.pk]
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
        # A parent may also depend on its child: one event covers both.
        around.events = [each for each in around.events if each.task_id not in failed] + list(failed.values())
    moved.around += around.events
    moved.unblocked += around.unblocked


def end_run(run: Run, status: RunStatus, *, now: datetime, **changes: Any) -> bool:
    """End an active run; False if it had already ended. The fence is the unique id and being active.

    ``run`` is locked, and its ``task`` is the instance that the verb then moves: directives that its holder has not
    acknowledged get their final state, or are kept for the task's next run.

    "Active" is tested through ``ended_at``: repeating the partial index's condition on ``status`` would make the
    planner walk that index's dead entries.
    """
    ended = _active({"status": status, "ended_at": now, **changes}, run=run.pk)
    if ended:
        _show_ended(run, status, changes, now=now)
        queue.end(run, at=now)
    return bool(ended)


def end_runs(runs: Sequence[tuple[Run, Mapping[str, Any]]], status: RunStatus, *, now: datetime) -> None:
    """``end_run`` for several, each with its changes, of the same columns; ``LostRace`` if one has ended after all."""
    _active.each_later([({"status": status, "ended_at": now, **changes}, {"run": run.pk}) for run, changes in runs])
    for run, changes in runs:
        _show_ended(run, status, changes, now=now)
        queue.end(run, at=now)


def _show_ended(run: Run, status: RunStatus, changes: Mapping[str, Any], *, now: datetime) -> None:
    run.status, run.ended_at = status, now
    for name, value in changes.items():
        setattr(run, name, value)


def slugs(agents: Iterable[Agent]) -> list[str]:
    """How an event names several agents."""
    return [agent.slug for agent in agents]


def active_run(task: Task, *, lock: bool = False) -> Run | None:
    """The active run of ``task``, if any; locked on demand, since every verb locks runs before tasks."""
    runs = Run.objects.active().filter(task=task).select_related("agent")
    if lock:
        runs = runs.select_for_update(of=("self",), no_key=True)
    run = runs.first()
    if run is not None:
        run.task = task
    return run


def stop(run: Run | None, status: RunStatus, *, held: Held) -> None:
    """End a locked run on behalf of staff; does nothing if there is none."""
    if run is not None and not end_run(run, status, now=held.at):
        raise LostRace


def give_back_pulled(task: Task, agent_id: int, *, now: datetime) -> None:
    """Free an unfinished task that was pulled or offered; what staff assigned stays assigned."""
    unasked = (AssignmentSource.PULL, AssignmentSource.AUTO)
    Assignment.objects.active().filter(task=task, agent_id=agent_id, source__in=unasked).update(
        ended_at=now, end_reason=AssignmentEnd.GIVEN_BACK
    )


def backoff(failures: int, *, base: timedelta, cap: timedelta) -> timedelta:
    """How long a task is deferred after its n-th failure: U(0.5, 1) × min(cap, base × 2^(n−1)).

    Exponential backoff with "equal jitter", as in Marc Brooker, *Exponential Backoff And Jitter* (AWS, 2015).
    """
    full = min(cap, base * 2 ** min(failures - 1, 32))
    return random.uniform(0.5, 1.0) * full
