"""Reads what a matching is computed from: the waiting tasks, the agents that could do them, and what excludes them.

A fixed number of queries per project and per five thousand tasks, whatever the number of agents.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery

from tasks import limits
from tasks.assignment.experience import Experience
from tasks.batches import batches
from tasks.events import kinds
from tasks.matching import facts
from tasks.matching.facts import AgentFacts, Snapshot, TaskFacts
from tasks.matching.working_hours import is_working, parse, zone_named
from tasks.models import (
    Agent,
    AgentKind,
    AgentSkill,
    Assignment,
    AssignmentEnd,
    Availability,
    Dependency,
    Event,
    Membership,
    Priority,
    Project,
    RequiredSkill,
    Role,
    Run,
    RunStatus,
    Skill,
    Task,
)
from tasks.refs import ref_of
from tasks.transitions import Status

#: An LLM agent that called within this time is alive.
ALIVE_FOR: Final = timedelta(minutes=2)
#: Tasks of a project that one matching considers: the first in claim order, and the longest waiting.
MOST_TASKS, OLDEST_TASKS = 10_000, 500
#: How long a task may wait, relative to one of normal priority.
PATIENCE: Final = {Priority.LOW: 2.0, Priority.NORMAL: 1.0, Priority.HIGH: 0.5, Priority.URGENT: 0.25}
#: Added to the score of an agent that began the task before, or that did what it depends on.
BEGAN_IT, DID_WHAT_IT_NEEDS = 0.25, 0.1
#: An agent that let an offer lapse or gave the task back may get it again after this many times the time to accept.
REST = 5

_TASK_COLUMNS = (
    "pk", "project", "number", "priority", "created_at", "start_after", "due_at", "estimate_minutes",
    "review_required", "version", "run_count",
)  # fmt: skip


def waiting(project: Project, now: datetime) -> list[int]:
    """The ids of the project's ready, unassigned tasks: at most ``MOST_TASKS``, plus the oldest ones."""
    ready = Task.objects.ready(now).filter(project=project).unassigned()
    ids = list(ready.in_claim_order().values_list("pk", flat=True)[: MOST_TASKS + 1])
    if len(ids) > MOST_TASKS:
        oldest = ready.order_by("pk").values_list("pk", flat=True)[:OLDEST_TASKS]
        ids = list(dict.fromkeys([*ids[:MOST_TASKS], *oldest]))
    return ids


def read_agents(projects: Collection[int], now: datetime, experience: Experience) -> tuple[AgentFacts, ...]:
    """All agents that may work in these projects (by id) as they are now, ordered by id."""
    works_in: dict[int, set[int]] = defaultdict(set)
    paused_in: dict[int, set[int]] = defaultdict(set)
    members = Membership.objects.filter(project__in=projects, user__agent__isnull=False).working()
    reviewers: dict[int, set[int]] = defaultdict(set)
    columns = ("user__agent", "project", "role", "paused_at")
    for agent, project, role, paused_at in members.order_by().values_list(*columns):
        (works_in if paused_at is None else paused_in)[agent].add(project)
        if Role(role).includes(Role.REVIEWER):
            reviewers[project].add(agent)
    no_agents = Membership.objects.filter(project__in=projects, user__agent__isnull=True)
    judged_by_others = set(no_agents.filter(role__in=(Role.REVIEWER, Role.MANAGER)).values_list("project", flat=True))
    sole = {
        project: next(iter(agents))
        for project, agents in reviewers.items()
        if len(agents) == 1 and project not in judged_by_others
    }
    ids = sorted(works_in.keys() | paused_in.keys())
    active, unstarted, skills = _load(ids)
    learned = experience.of(ids, now)
    latest_run = Run.objects.filter(agent=OuterRef("pk")).order_by("-started_at")
    latest_offer = Assignment.objects.filter(agent=OuterRef("pk")).order_by("-pk").values("created_at")[:1]
    rows = []
    for batch in batches(ids):
        agents: QuerySet[Any] = Agent.objects.filter(pk__in=batch).order_by("pk")
        for agent in agents.annotate(
            began_at=Subquery(latest_run.values("started_at")[:1]),
            ended_as=Subquery(latest_run.values("status")[:1]),
            ended_at=Subquery(latest_run.values("ended_at")[:1]),
            offered_at=Subquery(latest_offer),
        ):
            rows.append(
                AgentFacts(
                    id=agent.pk,
                    slug=agent.slug,
                    capacity=agent.max_concurrent,
                    active_runs=active[agent.pk],
                    open_assignments=unstarted[agent.pk],
                    barred=barred(agent, now) or _went_silent(agent),
                    is_human=agent.kind == AgentKind.HUMAN,
                    projects=frozenset(works_in[agent.pk]),
                    paused_in=frozenset(paused_in[agent.pk]),
                    sole_reviewer_of=frozenset(project for project, only in sole.items() if only == agent.pk),
                    skills=skills[agent.pk],
                    evidence=learned[agent.pk],
                    idle_since=agent.began_at.timestamp() if agent.began_at else 0.0,
                    last_offered=agent.offered_at.timestamp() if agent.offered_at else 0.0,
                )
            )
    return tuple(rows)


def _load(ids: Sequence[int]) -> tuple[Counter[int], Counter[int], dict[int, dict[int, int]]]:
    """Active runs, unstarted assignments, and skills (id → level) of these agents."""
    active, unstarted = Counter[int](), Counter[int]()
    skills: dict[int, dict[int, int]] = defaultdict(dict)
    for batch in batches(ids):
        runs = Run.objects.active().filter(agent__in=batch).order_by()
        active.update(dict(runs.values_list("agent").annotate(n=Count("pk"))))
        assignments = Assignment.objects.unstarted().filter(agent__in=batch).order_by()
        unstarted.update(dict(assignments.values_list("agent").annotate(n=Count("pk"))))
        rows = AgentSkill.objects.filter(agent__in=batch).order_by("skill")
        for agent, skill, level in rows.values_list("agent", "skill", "level"):
            skills[agent][skill] = level
    return active, unstarted, skills


def barred(agent: Agent, now: datetime) -> str:
    """The code of what keeps ``agent`` from any work now; empty if nothing does."""
    if not agent.enabled:
        return facts.DISABLED
    if agent.availability != Availability.AVAILABLE:
        return facts.PAUSED
    if agent.kind == AgentKind.LLM:
        alive = agent.last_seen_at is not None and agent.last_seen_at > now - ALIVE_FOR
        return "" if alive else facts.SILENT
    zone = zone_named(agent.time_zone, default=settings.TIME_ZONE)
    return "" if is_working(parse(agent.working_hours), zone, now) else facts.OFF_HOURS


def _went_silent(agent: Any) -> str:
    """An LLM agent that lost its last lease and has not called since is gone, however recently it called before."""
    lost = agent.kind == AgentKind.LLM and agent.ended_as == RunStatus.EXPIRED
    return facts.SILENT if lost and agent.last_seen_at <= agent.ended_at else ""


def read_tasks(
    ids: Sequence[int], projects: Iterable[Project], now: datetime, experience: Experience
) -> tuple[TaskFacts, ...]:
    """The tasks with these ids as they are now, in claim order."""
    by_id = {project.pk: project for project in projects}
    hours = experience.hours_of(by_id)
    waiting_tasks = []
    for batch in batches(ids):
        needs: dict[int, list[tuple[int, int]]] = defaultdict(list)
        required = RequiredSkill.objects.filter(task__in=batch).order_by("skill")
        for task, skill, level in required.values_list("task", "skill", "min_level"):
            needs[task].append((skill, level))
        rows = list(Task.objects.filter(pk__in=batch, project__in=by_id).in_claim_order().values_list(*_TASK_COLUMNS))
        began = [row[0] for row in rows if row[10]]
        barred_from, continuity = _histories(batch, began, by_id, now)
        ready_since = _ready_since(rows, by_id, now)
        for pk, project_id, number, priority, created, not_before, due, estimate, reviewed, version, _ in rows:
            project = by_id[project_id]
            since = max(created, not_before or created, ready_since.get(pk, created))
            waiting_tasks.append(
                TaskFacts(
                    id=pk,
                    ref=ref_of(project.key, number),
                    project=project_id,
                    priority=priority,
                    waiting_since=since.timestamp(),
                    hours=estimate / 60 if estimate else hours[project_id],
                    patience_hours=patience(project, priority).total_seconds() / 3600,
                    due_at=due.timestamp() if due else None,
                    needs=tuple(needs[pk]),
                    needs_review=reviewed,
                    share=project.share_weight,
                    version=version,
                    barred=barred_from.get(pk, {}),
                    continuity=continuity.get(pk, {}),
                )
            )
    return tuple(waiting_tasks)


def patience(project: Project, priority: int) -> timedelta:
    """How long a task of this priority may wait in ``project``."""
    return timedelta(minutes=project.patience_minutes * PATIENCE[Priority(priority)])


def _histories(
    ids: Sequence[int], began: list[int], projects: dict[int, Project], now: datetime
) -> tuple[dict[int, dict[int, str]], dict[int, dict[int, float]]]:
    """Which agents earlier events exclude from which task, and which agents know a task from before."""
    barred_from: dict[int, dict[int, str]] = defaultdict(dict)
    continuity: dict[int, dict[int, float]] = defaultdict(dict)
    needed = Dependency.objects.filter(task__in=ids, depends_on__runs__status=RunStatus.COMPLETED)
    for task, agent in needed.order_by().values_list("task", "depends_on__runs__agent"):
        continuity[task][agent] = DID_WHAT_IT_NEEDS
    if began:
        runs = Run.objects.filter(task__in=began, ended_at__isnull=False).order_by("number")
        columns = ("task", "agent", "status", "ended_at", "agent__kind", "task__project")
        for task, agent, status, at, kind, project in runs.values_list(*columns):
            if status == RunStatus.FAILED:
                barred_from[task][agent] = facts.FAILED
            elif status != RunStatus.EXPIRED:
                continuity[task][agent] = BEGAN_IT
            if status == RunStatus.RELEASED and at is not None and at > now - _rest(projects[project], kind):
                barred_from[task].setdefault(agent, facts.GAVE_BACK)
    ended = Assignment.objects.filter(
        task__in=ids, end_reason__in=(AssignmentEnd.LAPSED, AssignmentEnd.DECLINED, AssignmentEnd.UNASSIGNED)
    ).order_by("pk")
    columns = ("task", "agent", "end_reason", "ended_at", "agent__kind", "task__project")
    for task, agent, reason, at, kind, project in ended.values_list(*columns):
        if reason == AssignmentEnd.DECLINED:
            barred_from[task].setdefault(agent, facts.DECLINED)
        elif reason == AssignmentEnd.UNASSIGNED:
            # Staff had a reason; without this the engine would give the task straight back.
            barred_from[task].setdefault(agent, facts.TAKEN_OFF)
        elif at is not None and at > now - _rest(projects[project], kind):
            barred_from[task].setdefault(agent, facts.LAPSED)
    return barred_from, continuity


def accept_within(project: Project, kind: str) -> timedelta:
    """How long an agent of this kind has to accept an offer; for people this is working time."""
    human = kind == AgentKind.HUMAN
    return timedelta(seconds=project.accept_within_human_seconds if human else project.accept_within_llm_seconds)


def _rest(project: Project, kind: str) -> timedelta:
    return REST * accept_within(project, kind)


def _ready_since(rows: list[Any], projects: dict[int, Project], now: datetime) -> dict[int, datetime]:
    """When the overdue-to-start ones of these tasks became ready; queried for them alone, where it matters."""
    old = [row[0] for row in rows if now - row[4] > patience(projects[row[1]], row[3])]
    if not old:
        return {}
    back = Q(data__to=Status.NOT_STARTED.value) | Q(kind=kinds.TASK_DEPENDENCIES_REMOVED, data__open=0)
    woken = Event.objects.filter(
        back | Q(kind__in=(kinds.TASK_UNBLOCKED, kinds.TASK_UNDEFERRED)), task__in=old
    ).order_by()
    return dict(woken.values_list("task").annotate(at=Max("at")))


def read_snapshot(
    projects: Sequence[Project], now: datetime, experience: Experience, *, tasks: Sequence[int] | None = None
) -> Snapshot:
    """Everything that waits in ``projects`` (or ``tasks``, by id), and every agent that may work there."""
    ids = [pk for project in projects for pk in waiting(project, now)] if tasks is None else list(tasks)
    waiting_tasks = read_tasks(ids, projects, now, experience) if ids else ()
    agents = read_agents([project.pk for project in projects], now, experience)
    wanted = {skill for task in waiting_tasks for skill, _ in task.needs}
    names = dict(Skill.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}
    limited = limits.headroom_of(projects, lock=False, offered=True) if ids else {}
    headroom = {pk: each.more for pk, each in limited.items() if each.more is not None}
    return Snapshot(now.timestamp(), waiting_tasks, agents, names, headroom)
