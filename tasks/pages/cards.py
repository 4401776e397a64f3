"""Cards: what the board and the lists of neighbours show of a task."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch

from tasks.models import Agent, Assignment, Priority, Project, Run, Task
from tasks.pages.columns import counts
from tasks.transitions import Status

_FIELDS = (
    "project", "number", "title", "status", "priority", "due_at", "progress_percent", "progress_note",
    "open_blockers", "deferred_until", "completed_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """A sign on a card: an icon with words, so that colour never speaks alone."""

    icon: str
    text: str
    tone: str = ""
    at: datetime | None = None


@dataclass
class Card:
    """A task as the board shows it."""

    task: Task
    assignees: list[Agent]
    labels: list[str]
    run: Run | None
    marks: list[Mark]

    @property
    def is_overdue(self) -> bool:
        return any(mark.icon == "overdue" for mark in self.marks)

    @property
    def ref(self) -> str:
        return self.task.ref

    @property
    def has_progress(self) -> bool:
        return self.task.status == Status.IN_PROGRESS or (
            0 < self.task.progress_percent < 100 and self.task.status not in (Status.COMPLETED, Status.CANCELLED)
        )

    @property
    def priority(self) -> Priority:
        return Priority(self.task.priority)


def marks_of(task: Task, run: Run | None, now: datetime) -> list[Mark]:
    """Blocked, overdue, deferred, stalled; a task may carry several."""
    marks = []
    if run is not None and run.stalled_at is not None:
        marks.append(Mark("stalled", "Stalled", "warn"))
    if task.is_blocked():
        marks.append(Mark("blocked", f"Blocked by {task.open_blockers}"))
    if task.status == Status.NOT_STARTED and task.is_deferred(now):
        marks.append(Mark("deferred", "Deferred", at=task.deferred_until))
    if task.is_overdue(now):
        marks.append(Mark("overdue", "Overdue", "danger", at=task.due_at))
    return marks


def read_cards(ids: Iterable[int], projects: dict[int, Project], now: datetime) -> dict[int, Card]:
    """Cards by task id, in a fixed number of queries. Neither descriptions nor results are read."""
    assignments = Assignment.objects.filter(counts()).select_related("agent").order_by("pk")
    runs = Run.objects.active().select_related("agent").only("task", "stalled_at", "started_at", "agent")
    tasks = (
        Task.objects.filter(pk__in=list(ids))
        .only(*_FIELDS)
        .order_by()
        .prefetch_related(
            Prefetch("assignments", assignments, to_attr="shown_assignments"),
            Prefetch("runs", runs, to_attr="active_runs"),
            "labels",
        )
    )
    cards = {}
    for task in tasks:
        task.project = projects[task.project_id]
        run = next(iter(task.active_runs), None)
        agents = list({shown.agent_id: shown.agent for shown in task.shown_assignments}.values())
        if run is not None:
            agents.sort(key=lambda agent: agent.pk != run.agent_id)
        cards[task.pk] = Card(task, agents, [label.name for label in task.labels.all()], run, marks_of(task, run, now))
    return cards
