"""Who should do a task: assign, unassign, reassign by staff."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from taskproject.prepared.together import LostRace
from tasks import clock
from tasks.actions.funnel import (
    Moved,
    active_run,
    end_records_of_nobody,
    load_task,
    move,
    require_legal,
    slugs,
    stop,
    touch,
)
from tasks.actions.locking import Held, hold
from tasks.actions.transactions import verb
from tasks.errors import Invalid
from tasks.events import kinds
from tasks.events.declaration import Kind
from tasks.events.recording import event, record
from tasks.models import (
    Agent,
    Assignment,
    AssignmentEnd,
    AssignmentSource,
    Event,
    Membership,
    Role,
    Run,
    RunStatus,
    Task,
)
from tasks.permissions import require
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def _touch(task: Task, now: datetime) -> None:
    """Assignees are part of a task's representation, so its version changes with them."""
    touch([task.pk], now)
    task.updated_at, task.version = now, task.version + 1


def assigned(task: Task, agents: Sequence[Agent], *, now: datetime, actor: "User | None", **facts: Any) -> Event:
    """The event that ``agents`` were assigned to ``task``, with those additional ``facts`` that are not empty."""
    return _changed_hands(kinds.TASK_ASSIGNED, task, agents, now=now, actor=actor, **facts)


def unassigned(task: Task, agents: Sequence[Agent], *, now: datetime, actor: "User | None", **facts: Any) -> Event:
    """The same for agents that were taken off it."""
    return _changed_hands(kinds.TASK_UNASSIGNED, task, agents, now=now, actor=actor, **facts)


def _changed_hands(
    kind: Kind,
    task: Task,
    agents: Sequence[Agent],
    *,
    now: datetime,
    actor: "User | None",
    run: Run | None = None,
    **facts: Any,
) -> Event:
    sole = agents[0] if len(agents) == 1 else None
    said = {name: value for name, value in facts.items() if value not in (None, "", [])}
    return event(kind, at=now, actor=actor, task=task, run=run, agent=sole, agents=slugs(agents), **said)


def require_workers(task: Task, agents: Sequence[Agent]) -> None:
    """Raise ``Invalid`` naming the ``agents`` that cannot be given work in the task's project."""
    working = set(
        Membership.objects.filter(project=task.project_id, user__agent__in=agents)
        .exclude(role=Role.VIEWER)
        .values_list("user__agent", flat=True)
    )
    if strangers := [agent.slug for agent in agents if agent.pk not in working]:
        raise Invalid(
            {"agents": f"{', '.join(strangers)} cannot work in {task.project.key}; add them as workers first."}
        )
    if disabled := [agent.slug for agent in agents if not agent.enabled]:
        raise Invalid({"agents": f"{', '.join(disabled)} is disabled."})


def add_assignments(
    task: Task,
    agents: Iterable[Agent],
    *,
    actor: "User | None",
    now: datetime,
    note: str = "",
) -> list[Agent]:
    """Assign and return the ``agents`` that are not assigned yet. Part of a running verb, which records it.

    An agent that was offered the task by automatic assignment becomes assigned, and its offer no longer lapses.
    """
    source = AssignmentSource.MANUAL
    active = Assignment.objects.active().filter(task=task)
    present = dict(active.values_list("agent_id", "source"))
    new = list({agent.pk: agent for agent in agents if present.get(agent.pk) in (None, AssignmentSource.AUTO)}.values())
    if not new:
        return []
    end_records_of_nobody([task.pk], now)
    offered = [agent for agent in new if agent.pk in present]
    active.filter(agent__in=offered).update(source=source, assigned_by=actor, note=note, accept_by=None)
    Assignment.objects.bulk_create(
        [
            Assignment(task=task, agent=agent, source=source, assigned_by=actor, note=note, created_at=now)
            for agent in new
            if agent.pk not in present
        ]
    )
    return new


def _end_assignments(task: Task, agents: Sequence[Agent], *, now: datetime) -> list[Agent]:
    """Take the assigned ones of ``agents`` off ``task``, which is locked, and return them."""
    active = Assignment.objects.active().filter(task=task, agent__in=agents)
    ended = set(active.values_list("agent_id", flat=True))
    if ended:
        active.update(ended_at=now, end_reason=AssignmentEnd.UNASSIGNED)
    return [agent for agent in agents if agent.pk in ended]


def _take_from(task: Task, agents: Sequence[Agent], *, actor: "User | None") -> tuple[Held, Moved, Run | None]:
    """Lock ``task``; if one of ``agents`` holds its run, revoke that and return the task. Part of a running verb."""
    run = active_run(task, lock=True)
    if run is not None and run.agent_id not in {agent.pk for agent in agents}:
        run = None
    held = hold([task], Status.NOT_STARTED)
    if run is None:
        _require_unchanged(task)
        return held, Moved(), None
    if task.status != Status.IN_PROGRESS:
        raise LostRace
    stop(run, RunStatus.REVOKED, held=held)
    return held, move(task, "revoke", Status.NOT_STARTED, held=held, actor=actor), run


def _require_unchanged(task: Task) -> None:
    """Raise ``LostRace`` if somebody claimed or ended the task between reading and locking it."""
    if not connection.features.has_select_for_update:
        return
    if Task.objects.filter(pk=task.pk).values_list("status", "run_count").first() != (task.status, task.run_count):
        raise LostRace


@verb(catalogue.ASSIGN)
def assign_task(*, actor: "User", task: Task, agents: Sequence[Agent], note: str = "") -> Task:
    """Add ``agents`` to the assignees of ``task``; those already assigned stay so, without a second event.

    Raises ``NotPermitted``, ``IllegalTransition`` for an ended task, ``Invalid`` if an agent cannot work there.
    """
    task = load_task(task, lock=True)
    require(actor, "assign", task)
    require_legal(catalogue.ASSIGN, task)
    require_workers(task, agents)
    now = clock.now()
    if new := add_assignments(task, agents, actor=actor, now=now, note=note):
        _touch(task, now)
        record(assigned(task, new, now=now, actor=actor, source=AssignmentSource.MANUAL.value, note=note))
    return task


@verb(catalogue.UNASSIGN)
def unassign_task(*, actor: "User | None", task: Task, agents: Sequence[Agent] | None = None, note: str = "") -> Task:
    """Take ``agents`` (default: all) off ``task``; the run of one that holds it is revoked.

    Raises ``NotPermitted``, ``IllegalTransition`` for an ended task.
    """
    task = load_task(task)
    require(actor, "unassign", task)
    require_legal(catalogue.UNASSIGN, task)
    if agents is None:
        agents = list(Agent.objects.filter(assignments__task=task, assignments__ended_at__isnull=True).distinct())
    take_off(task, agents, actor=actor, note=note)
    return task


def take_off(task: Task, agents: Sequence[Agent], *, actor: "User | None", note: str = "") -> None:
    """Take ``agents`` off ``task``; the run of one that holds it is revoked. Part of a running verb."""
    held, moved, run = _take_from(task, agents, actor=actor)
    ended = _end_assignments(task, agents, now=held.at)
    _record_changed_hands(task, [], ended, held=held, moved=moved, run=run, actor=actor, note=note)


@verb(catalogue.REASSIGN)
def reassign_task(*, actor: "User", task: Task, agents: Sequence[Agent], note: str = "") -> Task:
    """Make ``agents`` the only assignees of ``task``; the run of one that loses it is revoked.

    Raises ``NotPermitted``, ``IllegalTransition`` for an ended task, ``Invalid``.
    """
    task = load_task(task)
    require(actor, "assign", task)
    require_legal(catalogue.REASSIGN, task)
    require_workers(task, agents)
    kept = {agent.pk for agent in agents}
    leaving = [
        assignment.agent
        for assignment in Assignment.objects.active().filter(task=task).select_related("agent")
        if assignment.agent_id not in kept
    ]
    held, moved, run = _take_from(task, leaving, actor=actor)
    ended = _end_assignments(task, leaving, now=held.at)
    new = add_assignments(task, agents, actor=actor, now=held.at, note=note)
    _record_changed_hands(task, new, ended, held=held, moved=moved, run=run, actor=actor, note=note)
    return task


def _record_changed_hands(
    task: Task,
    new: Sequence[Agent],
    ended: Sequence[Agent],
    *,
    held: Held,
    moved: Moved,
    run: Run | None,
    actor: "User | None",
    note: str,
) -> None:
    """Record in one event who got ``task`` and who lost it, with the run revoked for it; nothing if nobody did."""
    if not new and not ended and run is None:
        return
    _touch(task, held.at)
    about: dict[str, Any] = {"now": held.at, "actor": actor, "run": run, "note": note, **moved.facts}
    if run is not None:
        about["outcome"] = RunStatus.REVOKED.value
    if new:
        source = AssignmentSource.MANUAL.value
        record(assigned(task, new, source=source, taken_from=slugs(ended), **about), *moved.around)
    else:
        record(unassigned(task, ended, **about), *moved.around)
