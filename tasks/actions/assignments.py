"""Who should do a task: assign, unassign, reassign by staff."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tasks import clock
from tasks.actions.funnel import (
    LostRace,
    active_run,
    end_records_of_nobody,
    end_run,
    load_task,
    move,
    require_legal,
    run_ended,
    touch,
    verb,
)
from tasks.errors import Invalid
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, Assignment, AssignmentEnd, AssignmentSource, Event, Membership, Role, RunStatus, Task
from tasks.permissions import require
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def _touch(task: Task, now: datetime) -> None:
    """Assignees are part of a task's representation, so its version moves with them."""
    touch([task.pk], now)
    task.updated_at, task.version = now, task.version + 1


def _lock_before_assignments(task: Task) -> None:
    """Lock the task's row before its assignments, as the verbs that end a task do.

    Its run comes before it in the order of locks, so this is no place to revoke one: where somebody claimed the task
    since it was read, the verb begins anew.
    """
    rows = Task.objects.select_for_update(no_key=True).filter(pk=task.pk)
    if rows.values_list("status", "run_count").first() != (task.status, task.run_count):
        raise LostRace


def require_workers(task: Task, agents: Sequence[Agent]) -> None:
    """Raise ``Invalid`` naming those of ``agents`` who cannot be given work in the task's project."""
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
    source: AssignmentSource = AssignmentSource.MANUAL,
) -> list[Event]:
    """Rows and events for those of ``agents`` who are not assigned yet. Part of a running verb.

    Who was offered the task by automatic assignment is assigned by this, and the offer lapses no more.
    """
    active = Assignment.objects.active().filter(task=task)
    present = dict(active.values_list("agent_id", "source"))
    new = list({agent.pk: agent for agent in agents if present.get(agent.pk) in (None, AssignmentSource.AUTO)}.values())
    if new:
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
    return [
        event(
            kinds.TASK_ASSIGNED,
            at=now,
            actor=actor,
            task=task,
            agent=agent,
            source=source.value,
            note=note,
        )
        for agent in new
    ]


def _end_assignments(
    task: Task, agents: Iterable[Agent], *, actor: "User | None", now: datetime, note: str
) -> list[Event]:
    events = []
    for agent in agents:
        ended = (
            Assignment.objects.active()
            .filter(task=task, agent=agent)
            .update(ended_at=now, end_reason=AssignmentEnd.UNASSIGNED)
        )
        if ended:
            events.append(event(kinds.TASK_UNASSIGNED, at=now, actor=actor, task=task, agent=agent, note=note))
    return events


def _revoke_if_held_by(task: Task, agents: Iterable[Agent], *, actor: "User | None", now: datetime) -> list[Event]:
    """Taking the task from the agent that holds its run revokes the run and returns the task."""
    run = active_run(task)
    if run is None or run.agent_id not in {agent.pk for agent in agents}:
        return []
    if task.status != Status.IN_PROGRESS or not end_run(run, RunStatus.REVOKED, now=now):
        raise LostRace
    moved = move(task, "revoke", Status.NOT_STARTED, now=now, actor=actor, run=run)
    return [run_ended(run, now=now, actor=actor), *moved.events]


@verb(catalogue.ASSIGN)
def assign_task(*, actor: "User", task: Task, agents: Sequence[Agent], note: str = "") -> Task:
    """Add ``agents`` to the assignees of ``task``; who is assigned already stays so, without a second event.

    Raises ``NotPermitted``, ``IllegalTransition`` for an ended task, ``Invalid`` where an agent cannot work there.
    """
    task = load_task(task, lock=True)
    require(actor, "assign", task)
    require_legal(catalogue.ASSIGN, task)
    require_workers(task, agents)
    now = clock.now()
    if events := add_assignments(task, agents, actor=actor, now=now, note=note):
        _touch(task, now)
        record(*events)
    return task


@verb(catalogue.UNASSIGN)
def unassign_task(*, actor: "User | None", task: Task, agents: Sequence[Agent] | None = None, note: str = "") -> Task:
    """Take ``agents`` (all, where left out) off ``task``; the run of one who holds it is revoked.

    Raises ``NotPermitted``, ``IllegalTransition`` for an ended task.
    """
    task = load_task(task)
    require(actor, "unassign", task)
    require_legal(catalogue.UNASSIGN, task)
    now = clock.now()
    if agents is None:
        agents = list(Agent.objects.filter(assignments__task=task, assignments__ended_at__isnull=True).distinct())
    events = _revoke_if_held_by(task, agents, actor=actor, now=now)
    _lock_before_assignments(task)
    events += _end_assignments(task, agents, actor=actor, now=now, note=note)
    if events:
        _touch(task, now)
        record(*events)
    return task


@verb(catalogue.REASSIGN)
def reassign_task(*, actor: "User", task: Task, agents: Sequence[Agent], note: str = "") -> Task:
    """Make ``agents`` the assignees of ``task``, and nobody else; the run of one who loses it is revoked.

    Raises ``NotPermitted``, ``IllegalTransition`` for an ended task, ``Invalid``.
    """
    task = load_task(task)
    require(actor, "assign", task)
    require_legal(catalogue.REASSIGN, task)
    require_workers(task, agents)
    now = clock.now()
    kept = {agent.pk for agent in agents}
    leaving = [
        assignment.agent
        for assignment in Assignment.objects.active().filter(task=task).select_related("agent")
        if assignment.agent_id not in kept
    ]
    events = _revoke_if_held_by(task, leaving, actor=actor, now=now)
    _lock_before_assignments(task)
    events += _end_assignments(task, leaving, actor=actor, now=now, note=note)
    events += add_assignments(task, agents, actor=actor, now=now, note=note)
    if events:
        _touch(task, now)
        record(*events)
    return task
