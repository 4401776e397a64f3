"""The agents that share a project with the user: who can do what, how busy they are and what they are at."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks import clock
from tasks.models import Agent, AgentKind, Availability, Project, Run
from tasks.permissions import is_staff_somewhere

SHOWN = 200
TASKS_SHOWN = 5
_TASK_FIELDS = ("task__title", "task__number", "task__project__key")
#: An LLM agent that called within this time is believed alive.
ALIVE_FOR = timedelta(minutes=2)


@dataclass
class AgentCard:
    """An agent with its load. ``elsewhere``: active runs in projects that the reader does not see."""

    agent: Agent
    now: datetime
    runs: list[Run] = field(default_factory=list)

    @property
    def active(self) -> int:
        return int(self.agent.active_runs)  # type: ignore[attr-defined]

    @property
    def open(self) -> int:
        return int(self.agent.open_assignments)  # type: ignore[attr-defined]

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
    def state(self) -> str:
        """``disabled``, ``paused``, ``away`` (an LLM agent that has gone silent) or ``available``."""
        if not self.agent.enabled:
            return "disabled"
        if self.agent.availability == Availability.PAUSED:
            return "paused"
        if self.agent.kind == AgentKind.LLM:
            seen = self.agent.last_seen_at
            if seen is None:
                return "never seen"
            if seen < self.now - ALIVE_FOR:
                return "silent"
        return "available"


@login_required
def agents(request: HttpRequest) -> HttpResponse:
    """Agents with kind, availability, load, skills and current work; ``?kind=llm``, ``?q=`` narrow them."""
    user: Any = request.user
    now = clock.now()
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    kind = request.GET.get("kind", "")
    everyone = Agent.objects.visible_to(user)
    found = everyone
    if text:
        found = found.filter(Q(slug__icontains=text) | Q(name__icontains=text) | Q(skills__skill__name=text.lower()))
    if kind in AgentKind.values:
        found = found.filter(kind=kind)
    else:
        kind = ""
    page = list(found.distinct().with_load().prefetch_related("skills__skill").order_by("slug")[: SHOWN + 1])
    cards = {agent.pk: AgentCard(agent, now) for agent in page[:SHOWN]}
    for agent_id, runs in _visible_runs(user, list(cards)).items():
        cards[agent_id].runs = runs
    context = {
        "cards": list(cards.values()),
        "more": len(page) > SHOWN,
        "kind": kind,
        "text": text,
        "kinds": AgentKind.choices,
        "has_any": bool(cards) or everyone.exists(),
        "may_add": user.is_staff and is_staff_somewhere(user),
    }
    return render(request, "tasks/agents.html", context)


def _visible_runs(user: Any, agent_ids: list[int]) -> dict[int, list[Run]]:
    """The active runs of these agents on tasks the user may see, the longest running first."""
    projects = list(Project.objects.visible_to(user).values_list("pk", flat=True))
    runs = (
        Run.objects.active()
        .filter(agent__in=agent_ids, task__project__in=projects)
        .select_related("task__project")
        .only(
            "agent", "stalled_at", "started_at", "progress_percent", "task__title", "task__number", "task__project__key"
        )
        .order_by("started_at")
    )
    by_agent: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_agent[run.agent_id].append(run)
    return by_agent
