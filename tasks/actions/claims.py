"""Starting work: claim, claim_next, start. A claim is a pick followed by the funnel.

Row locks make it fast (PostgreSQL hands different clients different rows), the conditional update makes it right.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, F, QuerySet, Subquery
from django.db.models.functions import Coalesce

from taskproject.prepared.inserting import insert
from taskproject.prepared.parameters import Parameter
from taskproject.prepared.querysets import prepared
from taskproject.prepared.together import LostRace
from tasks import clock, limits
from tasks.actions.directives import queue
from tasks.actions.funnel import active_run, load_task, move_all, require_legal, status_changed
from tasks.actions.locking import Held
from tasks.actions.picking import is_anything_ready, pick, require_same_assignees
from tasks.actions.transactions import verb
from tasks.errors import (
    ANOTHER,
    AlreadyClaimed,
    AtCapacity,
    Invalid,
    MissingSkill,
    NotAssignee,
    NotPermitted,
    NotReady,
    PausedInProject,
)
from tasks.events.recording import record
from tasks.models import (
    Agent,
    AgentKind,
    Assignment,
    AssignmentSource,
    Availability,
    Membership,
    Project,
    Role,
    Run,
    Task,
)
from tasks.permissions import agent_of, has_role, require, role_in, within_reach
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


#: When a task was first started, and which run of it this is.
_FIRST_START = Coalesce(F("started_at"), Parameter("now"))
_ONE_RUN_MORE = F("run_count") + 1


@dataclass
class Claimed:
    """What ``claim_next`` found: runs, or a stable code for why there are none.

    ``reason``: ``at_capacity``, ``paused``, ``no_project``, ``no_ready_task``, or ``at_limit`` if there are tasks, but
    only in projects that are at their limit.
    """

    runs: list[Run] = field(default_factory=list)
    reason: str | None = None


def _require_agent(actor: "User") -> Agent:
    agent = agent_of(actor)
    if agent is None:
        raise NotPermitted("Only agents work on tasks.", "Ask a manager for an agent profile.")
    if not agent.enabled:
        raise NotPermitted(f"{agent.slug} is disabled.", "Ask a manager of the project.")
    return agent


@prepared
def _locked_agent(agent: Any) -> QuerySet[Agent]:
    return Agent.objects.select_for_update(no_key=True).filter(pk=agent)


def _lock(agent: Agent) -> Agent:
    """The agent's row, locked: its claims run one after another, so capacity cannot be exceeded.

    Raises ``NotPermitted`` if it has been disabled meanwhile.
    """
    locked: Agent | None = _locked_agent.first(agent=agent.pk)
    if locked is None or not locked.enabled:
        raise NotPermitted(f"{agent.slug} is disabled.", "Ask a manager of the project.")
    return locked


@prepared
def _runs_in_hand(agent: Any) -> QuerySet[Run, Any]:
    counted = Run.objects.active().filter(agent=agent).order_by().values("agent").annotate(n=Count("pk"))
    return counted.values_list("n", flat=True)


def _free_slots(agent: Agent) -> int:
    """How many more runs ``agent`` may have. A claim asks behind its lock, in a statement of its own: what another one
    has just committed is in no statement that waited for it.
    """
    return int(agent.max_concurrent - (_runs_in_hand.first(agent=agent.pk) or 0))


def missing_skills(agent: Agent, task: Task) -> list[tuple[str, int]]:
    """The required skills (name, level) of ``task`` that ``agent`` lacks."""
    has = dict(agent.skills.values_list("skill_id", "level"))
    needs = task.required_skills.select_related("skill")
    return [(need.skill.name, need.min_level) for need in needs if has.get(need.skill_id, 0) < need.min_level]


def open_blocker_refs(task: Task) -> list[str]:
    """Refs of what ``task`` waits for: dependencies not completed, then children not settled."""
    dependencies = Task.objects.filter(dependents__task=task).exclude(status=Status.COMPLETED)
    children = Task.objects.filter(parent=task).exclude(status__in=(Status.COMPLETED, Status.CANCELLED))
    blockers = [
        *dependencies.select_related("project").order_by("pk"),
        *children.select_related("project").order_by("pk"),
    ]
    return list(dict.fromkeys(blocker.ref for blocker in blockers))


def require_ready(task: Task, now: datetime) -> None:
    """Raise ``NotReady`` with what ``task`` waits for."""
    if task.open_blockers:
        raise NotReady(task.ref, blocked_by=open_blocker_refs(task))
    if task.on_hold:
        raise NotReady(task.ref, on_hold=True)
    if task.deferred_until is not None and task.is_deferred(now):
        wait = math.ceil((task.deferred_until - now).total_seconds())
        raise NotReady(
            task.ref, start_after=task.deferred_until, last_failure=task.last_failure, retry_after_seconds=wait
        )


def _require_may_take(agent: Agent, task: Task) -> None:
    """Require that the agent is an assignee; or nobody is, the project lets agents pull, and the skills suffice."""
    assigned = set(Assignment.objects.active().filter(task=task).values_list("agent_id", flat=True))
    if agent.pk in assigned:
        return
    if assigned:
        raise NotAssignee("{} is assigned to somebody else.", ANOTHER, about=task.ref)
    if not task.project.allow_pull:
        raise NotAssignee(f"{task.project.key} assigns its tasks itself.", f"Wait until {task.ref} is assigned to you.")
    if missing := missing_skills(agent, task):
        raise MissingSkill(task.ref, missing)


def _open_runs(
    tasks: Sequence[Task],
    agent: Agent,
    *,
    verb: str,
    actor: "User",
    now: datetime,
    lease_seconds: int | None = None,
    pulled: Collection[Task] = (),
) -> list[Run]:
    """Move ``tasks`` to *in progress* and open their runs, each with a lease unless ``verb`` is ``start``.

    ``pulled`` tasks are also assigned to the agent. Records the events. Part of a running verb, which has held the
    tasks' locks since before ``now``.
    """
    insert(
        [
            Assignment(task=task, agent=agent, source=AssignmentSource.PULL, assigned_by=actor, created_at=now)
            for task in pulled
        ]
    )
    held = Held(now)
    moved = move_all(
        tasks,
        verb,
        Status.IN_PROGRESS,
        held=held,
        actor=actor,
        started_at=_FIRST_START,
        run_count=_ONE_RUN_MORE,
        deferred_until=None,
        progress_percent=0,
        progress_note="",
        progress_at=None,
    )
    runs, events = [], []
    for task in tasks:
        task.started_at = task.started_at or now
        task.run_count += 1
        seconds = None if verb == "start" else lease_seconds or task.project.lease_seconds
        run = Run(
            task=task,
            agent=agent,
            number=task.run_count,
            started_at=now,
            lease_seconds=seconds,
            lease_expires_at=now + timedelta(seconds=seconds) if seconds else None,
            last_heartbeat_at=now,
            last_progress_at=now,
        )
        runs.append(run)
        source = AssignmentSource.PULL.value if task in pulled else None
        events.append(status_changed(task, moved, held=held, actor=actor, run=run, source=source))
    insert(runs)
    for task, run in zip(tasks, runs, strict=True):
        queue.hand_over(task, run)
    record(*events, *moved.around)
    return runs


@verb(catalogue.CLAIM)
def claim_task(*, actor: "User", task: Task, lease_seconds: int | None = None) -> Run:
    """Claim ``task`` for the calling agent; repeating it is safe for the holder and renews the lease.

    ``lease_seconds``: 30 to 14 400 (default: the project's).
    Raises ``AlreadyClaimed``, ``IllegalTransition``, ``NotReady``, ``NotAssignee``, ``MissingSkill``, ``AtCapacity``,
    ``AtLimit``, ``NotPermitted``, ``Invalid``.
    """
    agent = _lock(_require_agent(actor))
    mine = Run.objects.active().filter(task=task.pk, agent=agent).select_related("task__project", "agent")
    if (held := mine.first()) is not None:
        # Runs are locked before tasks, so the holder's claim locks only its run.
        require(actor, "claim", held.task)
        _renew(held, lease_seconds)
        return held
    headroom = limits.headroom_of([task.project], lock=True)
    task = load_task(task, lock=True)
    require(actor, "claim", task)
    now = clock.now()
    if task.status == Status.IN_PROGRESS and (run := active_run(task)):
        if run.agent_id == agent.pk:
            raise LostRace
        raise AlreadyClaimed(task.ref, holder=run.agent.slug, lease_expires_at=run.lease_expires_at)
    require_legal(catalogue.CLAIM, task)
    require_ready(task, now)
    _require_not_paused(agent, task)
    _require_may_take(agent, task)
    if _free_slots(agent) <= 0:
        raise AtCapacity(agent.slug, agent.max_concurrent)
    if (there := headroom.get(task.project_id)) and there.reached is not None:
        raise there.reached
    assigned = Assignment.objects.active().filter(task=task, agent=agent).exists()
    return _open_runs(
        [task],
        agent,
        verb="claim",
        actor=actor,
        now=now,
        lease_seconds=lease_seconds,
        pulled=[] if assigned else [task],
    )[0]


def _renew(run: Run, lease_seconds: int | None) -> None:
    """Give the run the requested lease, if it has one and its holder was not told to stop.

    Raises ``LostRace`` if it has just ended.
    """
    if not run.lease_seconds or run.stop_delivered_at is not None:
        return
    now = clock.now()
    run.lease_seconds = lease_seconds or run.lease_seconds
    run.lease_expires_at = now + timedelta(seconds=run.lease_seconds)
    renewed = Run.objects.filter(pk=run.pk, ended_at__isnull=True, stop_delivered_at__isnull=True).update(
        lease_seconds=run.lease_seconds, lease_expires_at=run.lease_expires_at, last_heartbeat_at=now
    )
    if not renewed:
        raise LostRace


@verb(catalogue.START)
def start_task(*, actor: "User", task: Task, agent: Agent | None = None) -> Run:
    """A person starts ``task``, for themselves or, as staff, for another human agent. The run has no lease.

    Raises what ``claim_task`` raises; ``Invalid`` if ``agent`` is not a person.
    """
    agent = _lock(agent or _require_agent(actor))
    task = load_task(task, lock=True)
    require(actor, "start", task)
    if agent.kind != AgentKind.HUMAN:
        raise Invalid({"agent": f"{agent.slug} is an LLM agent; LLM agents claim tasks themselves."})
    for_other = agent.user_id != actor.pk
    if for_other and not has_role(actor, task.project, Role.MANAGER):
        raise NotPermitted(f"Only a manager of {task.project.key} may start a task for somebody else.")
    if for_other and role_in(agent.user, task.project) in (None, Role.VIEWER):
        raise Invalid({"agent": f"{agent.slug} does not work in {task.project.key}."})
    now = clock.now()
    if task.status == Status.IN_PROGRESS and (run := active_run(task)):
        if run.agent_id == agent.pk:
            return run
        raise AlreadyClaimed(task.ref, holder=run.agent.slug, lease_expires_at=run.lease_expires_at)
    require_legal(catalogue.START, task)
    require_ready(task, now)
    if not for_other:
        _require_not_paused(agent, task)
        _require_may_take(agent, task)
    if _free_slots(agent) <= 0:
        raise AtCapacity(agent.slug, agent.max_concurrent)
    assigned = Assignment.objects.active().filter(task=task, agent=agent).exists()
    return _open_runs([task], agent, verb="start", actor=actor, now=now, pulled=[] if assigned else [task])[0]


@verb(catalogue.START_FOR, opens_transaction=False)
def start_task_for(*, actor: "User", task: Task, agent: Agent) -> Run:
    """A manager starts ``task`` for a person: ``start_task`` without a default person. Raises the same."""
    return start_task(actor=actor, task=task, agent=agent)


@prepared
def _memberships(user: Any, reach: Any, *, limited: bool) -> QuerySet[Membership]:
    """Those of a user, as far as a token that is ``limited`` to some projects reaches."""
    memberships = Membership.objects.filter(user=user).select_related("project").order_by("project__key")
    return memberships.filter(project__id__any=reach) if limited else memberships


@prepared
def _scene(user: Any, reach: Any, agent: Any, *, limited: bool) -> QuerySet[Membership]:
    """What a claim decides by, read behind the agent's lock: the memberships, each with how many runs the agent has in
    hand, whether something is assigned to it, and the time.
    """
    memberships: QuerySet[Membership] = _memberships.build(user, reach, limited=limited)
    return memberships.annotate(
        in_hand=Coalesce(Subquery(_runs_in_hand.build(agent)), 0),
        is_expected=Exists(Assignment.objects.unstarted().filter(agent=agent)),
        now=clock.Clock(),
    )


def projects_to_work_in(actor: "User", keys: list[str] | None = None) -> list[Project]:
    """The projects whose tasks ``actor`` may work on, by key; ``keys`` restricts them.

    Raises ``Invalid`` for the key of a project that ``actor`` is not a member of.
    """
    memberships: list[Membership] = _memberships.all(**within_reach(actor))
    by_key = {membership.project.key: membership for membership in memberships}
    if keys is not None:
        if unknown := [key for key in keys if key not in by_key]:
            raise Invalid({"projects": f"You are not a member of {', '.join(unknown)}."})
        by_key = {key: by_key[key] for key in keys}
    working = [membership for membership in by_key.values() if membership.role != Role.VIEWER]
    # If it is paused in all of them, claim_next says so.
    taking = [membership for membership in working if membership.paused_at is None] or working
    return [membership.project for membership in taking]


def _taking_work(agent: Agent, projects: Iterable[Project]) -> QuerySet[Membership, int]:
    """Those of ``projects`` (ids) in which the agent may take work now."""
    memberships = Membership.objects.filter(user=agent.user_id, project__in=projects).taking_work()
    return memberships.values_list("project_id", flat=True)


def _require_not_paused(agent: Agent, task: Task) -> None:
    """Raise ``PausedInProject`` if a manager lets the agent take no work there."""
    paused = Membership.objects.filter(user=agent.user_id, project=task.project_id, paused_at__isnull=False)
    if paused.exists():
        raise PausedInProject(agent.slug, task.project.key)


def may_take_more(*, actor: "User") -> bool:
    """Whether ``actor`` is available and has free capacity. Read-only; raises ``NotPermitted``."""
    agent = _require_agent(actor)
    return agent.availability == Availability.AVAILABLE and _free_slots(agent) > 0


def finds_nothing_ready(*, actor: "User", projects: list[Project]) -> bool:
    """Whether ``claim_next`` would find nothing now, or only at a limit. Read-only; raises ``NotPermitted``."""
    agent = _require_agent(actor)
    taking = set(_taking_work(agent, projects))
    projects = [project for project in projects if project.pk in taking]
    if not projects or not may_take_more(actor=actor):
        return False
    at_limit = limits.full(projects)
    open_ones = [project for project in projects if project.pk not in at_limit]
    return not is_anything_ready(agent, open_ones, clock.now())


@verb(catalogue.CLAIM_NEXT)
def claim_next(
    *, actor: "User", projects: list[Project] | None = None, limit: int = 1, lease_seconds: int | None = None
) -> Claimed:
    """Claim up to ``limit`` (at most 20) of the tasks that ``actor`` should do next in ``projects``, or in all where
    ``actor`` works.

    Tasks assigned to the agent come first, then the pool of the projects that allow pull; each by priority, due date
    and age. Never claims beyond the agent's free capacity. Raises ``Invalid`` and ``NotPermitted``.
    """
    agent = _lock(_require_agent(actor))
    # The caller may have waited since it read its memberships.
    scene: list[Any] = _scene.all(agent=agent.pk, **within_reach(actor))
    if projects is None:
        projects = [each.project for each in scene]
    wanted = {project.pk for project in projects}
    working = [each for each in scene if each.project_id in wanted and each.role != Role.VIEWER]
    taking = {each.project_id: each.project for each in working if each.paused_at is None}
    if not taking:
        return Claimed(reason="paused" if working else "no_project")
    projects = [taking[project.pk] for project in projects if project.pk in taking]
    if agent.availability != Availability.AVAILABLE:
        return Claimed(reason="paused")
    free = agent.max_concurrent - working[0].in_hand
    if free <= 0:
        return Claimed(reason="at_capacity")
    headroom = limits.headroom_of(projects, lock=True)
    at_limit = [project for project in projects if project.pk in headroom and headroom[project.pk].reached is not None]
    open_ones = [project for project in projects if project not in at_limit]
    most = {pk: each.more for pk, each in headroom.items() if each.more is not None}
    # Locking the limits may have taken its time.
    now = clock.now() if headroom else clock.read(working[0].now)
    picked = pick(agent, open_ones, min(limit, free), most, now, is_expected=working[0].is_expected)
    if not picked:
        waits = bool(at_limit) and is_anything_ready(agent, at_limit, clock.now())
        return Claimed(reason="at_limit" if waits else "no_ready_task")
    tasks: list[Any] = [task for task, _ in picked]
    pulled = [task for task, by_pull in picked if by_pull]
    now = clock.read(max((task.picked_at for task in tasks if task.picked_at), default=None))
    require_same_assignees(agent, picked)
    return Claimed(
        _open_runs(tasks, agent, verb="claim", actor=actor, now=now, lease_seconds=lease_seconds, pulled=pulled)
    )
