"""The agents that share a project with the user: what they can do, how busy they are and what they work on."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import IntegerField, Q
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks import clock
from tasks.assignment.presence import State, state_of
from tasks.models import Agent, AgentKind, Assignment, Invitation, Membership, Project, Role, Run, Task
from tasks.pages.last_day import LastDay, last_days
from tasks.permissions import is_llm
from tasks.querysets import seen_by, sees_all
from tasks.transitions import Status

SHOWN = 200
TASKS_SHOWN = 5
#: Assigned tasks are counted up to this number, which exceeds any capacity.
COUNTED = 100


@dataclass
class AgentCard:
    """An agent with its load. ``elsewhere``: active runs in projects that the reader cannot see."""

    agent: Agent
    now: datetime
    active: int = 0
    runs: list[Run] = field(default_factory=list)
    day: LastDay = field(default_factory=LastDay)
    #: Keys of the projects that the reader sees and in which a manager paused it.
    paused_in: list[str] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Assigned and not started, counted up to ``COUNTED`` + 1."""
        return int(self.agent.open_assignments)  # type: ignore[attr-defined]

    @property
    def open_count(self) -> str:
        return f"{COUNTED}+" if self.open > COUNTED else str(self.open)

    @property
    def load(self) -> int:
        return self.active + self.open

    @property
    def is_full(self) -> bool:
        return self.load >= self.agent.max_concurrent

    @property
    def shown_runs(self) -> list[Run]:
        return self.runs[:TASKS_SHOWN]

    @property
    def more(self) -> int:
        return self.active - len(self.shown_runs)

    @property
    def is_stalled(self) -> bool:
        return any(run.stalled_at for run in self.runs)

    @property
    def state(self) -> State:
        return state_of(self.agent, self.now)


def _open_assignments() -> RawSQL:
    """How many tasks an agent has yet to start, up to ``COUNTED`` + 1: no ORM query can stop counting there.

    CROSS JOIN keeps SQLite from starting with the tasks.
    """
    tables = {"assignments": Assignment._meta.db_table, "tasks": Task._meta.db_table, "agents": Agent._meta.db_table}
    sql = """SELECT COUNT(*) FROM (
        SELECT 1 FROM {assignments} a CROSS JOIN {tasks} t
        WHERE a.agent_id = {agents}.id AND a.ended_at IS NULL AND t.id = a.task_id AND t.status = %s LIMIT %s
    ) AS capped"""
    return RawSQL(sql.format(**tables), (Status.NOT_STARTED.value, COUNTED + 1), IntegerField())  # noqa: S611 - our names


@login_required
def agents(request: HttpRequest) -> HttpResponse:
    """Agents with kind, availability, load, skills and current work; ``?kind=llm``, ``?q=`` narrow them."""
    user: Any = request.user
    now = clock.now()
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    kind = request.GET.get("kind", "")
    everyone = Agent.objects.visible_to(user)
    matching = everyone
    if text:
        matching = matching.filter(
            Q(slug__icontains=text) | Q(name__icontains=text) | Q(skills__skill__name=text.lower())
        )
    if kind in AgentKind.values:
        matching = matching.filter(kind=kind)
    else:
        kind = ""
    matching = matching.distinct().annotate(open_assignments=_open_assignments())
    page = list(matching.prefetch_related("skills__skill").order_by("slug")[: SHOWN + 1])
    ids = [agent.pk for agent in page[:SHOWN]]
    active = Counter(Run.objects.active().filter(agent__in=ids).order_by().values_list("agent_id", flat=True))
    cards = {agent.pk: AgentCard(agent, now, active[agent.pk]) for agent in page[:SHOWN]}
    projects = list(Project.objects.visible_to(user).values_list("pk", flat=True))
    for agent_id, runs in _visible_runs(projects, ids).items():
        cards[agent_id].runs = runs
    for agent_id, day in last_days(ids, projects, now).items():
        cards[agent_id].day = day
    paused = Membership.objects.filter(user__agent__in=ids, paused_at__isnull=False).filter(seen_by(user, "project__"))
    for agent_id, key in paused.order_by("project__key").values_list("user__agent", "project__key"):
        cards[agent_id].paused_in.append(key)
    managed = _first_managed_by(user)
    manages = bool(managed) or sees_all(user)
    context = {
        "cards": list(cards.values()),
        "more": len(page) > SHOWN,
        "kind": kind,
        "text": text,
        "kinds": AgentKind.choices,
        "has_any": bool(cards) or everyone.exists(),
        "may_compare": manages,
        "invitations": Invitation.objects.standing().answered_by(user).count(),
        "may_add": manages,
        "add_to": managed,
    }
    return render(request, "tasks/agents.html", context)


def _first_managed_by(user: Any) -> str:
    """The key of the oldest project that ``user`` manages; empty if they manage none."""
    if is_llm(user):
        return ""
    managed = Membership.objects.filter(user=user, role=Role.MANAGER).order_by("project")
    return managed.values_list("project__key", flat=True).first() or ""


def _visible_runs(projects: list[int], agent_ids: list[int]) -> dict[int, list[Run]]:
    """The active runs of these agents on tasks of these projects, the longest-running first."""
    runs = (
        Run.objects.active()
        .filter(agent__in=agent_ids, task__project__in=projects)
        .select_related("task__project")
        .only(
            "agent",
            "stalled_at",
            "started_at",
            "progress_percent",
            "progress_note",
            "plan_steps",
            "plan_settled",
            "task__title",
            "task__number",
            "task__project__key",
        )
        .order_by("started_at")
    )
    by_agent: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_agent[run.agent_id].append(run)
    return by_agent
