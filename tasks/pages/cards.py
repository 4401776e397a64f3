"""Cards: how the board and the lists of related tasks show a task."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.db.models import Prefetch
from django.urls import reverse

from tasks.elsewhere import completed_at_unknown_times
from tasks.models import Agent, Assignment, AssignmentDecision, Label, Priority, Project, Run, Task, counting
from tasks.pages.retries import retry_of
from tasks.transitions import OPEN, Status

_FIELDS = (
    "project", "parent", "number", "title", "status", "priority", "due_at", "progress_percent", "progress_note",
    "open_blockers", "open_questions", "on_hold", "deferred_until", "start_after", "last_failure", "attempts",
    "max_attempts", "completed_at", "updated_at", "external_id",
)  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """A mark on a card: an icon with words, so that nothing is said by colour alone."""

    icon: str
    text: str
    tone: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptCard:
    """The place of a card that has not changed: the page already has it."""

    ref: str
    status: str
    is_kept: ClassVar[bool] = True


@dataclass(slots=True)
class Card:
    """A task as the board shows it; plain values, since a page holds hundreds of them."""

    task: Task
    ref: str
    url: str
    title: str
    status: str
    priority: str
    percent: str
    has_progress: bool
    assignees: list[Agent]
    labels: list[str]
    run: Run | None
    marks: list[Mark]
    is_overdue: bool
    shows_due: bool
    warning: str = ""
    failure: str = ""
    #: Completed before its import, nobody knows when.
    ended_before: bool = False
    is_kept: ClassVar[bool] = False

    @property
    def note(self) -> str:
        return self.task.progress_note if self.status == Status.IN_PROGRESS else ""

    @property
    def more_labels(self) -> int:
        return max(len(self.labels) - 3, 0)

    @property
    def more_assignees(self) -> int:
        return max(len(self.assignees) - 1, 0)


def _card(task: Task, url: str, now: datetime) -> Card:
    run = next(iter(task.active_runs), None)  # type: ignore[attr-defined]
    agents = list({shown.agent_id: shown.agent for shown in task.shown_assignments}.values())  # type: ignore[attr-defined]
    if run is not None:
        agents.sort(key=lambda agent: agent.pk != run.agent_id)
    overdue = task.is_overdue(now)
    return Card(
        task=task,
        ref=task.ref,
        url=url,
        title=task.title,
        status=task.status,
        priority=Priority(task.priority).label,
        percent=str(task.progress_percent),
        # What a run that has ended got to stands with that run.
        has_progress=run is not None and task.status == Status.IN_PROGRESS,
        assignees=agents,
        labels=[label.name for label in task.shown_labels],  # type: ignore[attr-defined]
        run=run,
        marks=marks_of(task, run, now),
        is_overdue=overdue,
        shows_due=task.due_at is not None and not overdue and task.status in OPEN,
        warning=_warning(task) if not agents else "",
        failure=retry_of(task, now).failure,
    )


def _warning(task: Task) -> str:
    """Why nobody can do a task that waits for an agent; empty if somebody may yet be found."""
    if task.status != Status.NOT_STARTED:
        return ""
    return next((decision.warning for decision in task.open_decisions), "")  # type: ignore[attr-defined]


def marks_of(task: Task, run: Run | None, now: datetime) -> list[Mark]:
    """Blocked, overdue, deferred, stalled, tried before; a task may carry several."""
    marks = []
    if run is not None and run.stalled_at is not None:
        marks.append(Mark("stalled", "Stalled", "warn"))
    retry = retry_of(task, now)
    if retry.running:
        marks.append(Mark("retry", retry.running))
    if task.is_blocked():
        marks.append(Mark("blocked", f"Blocked by {task.open_blockers}"))
    if task.status == Status.NOT_STARTED and task.on_hold:
        marks.append(Mark("deferred", "On hold"))
    elif until := task.ready_at(now):
        marks.append(Mark("deferred", "Resting, ready" if retry.rests_until else "Deferred", at=until))
    if task.is_overdue(now):
        marks.append(Mark("overdue", "Overdue", "danger", at=task.due_at))
    return marks


def read_cards(ids: Iterable[int], projects: dict[int, Project], now: datetime) -> dict[int, Card]:
    """Cards by task id, in a fixed number of queries. Does not read descriptions or results."""
    assignments = Assignment.objects.filter(counting()).select_related("agent").order_by("pk")
    runs = (
        Run.objects.active()
        .select_related("agent")
        .only("task", "stalled_at", "started_at", "agent", "plan_steps", "plan_settled")
    )
    warnings = AssignmentDecision.objects.filter(agent__isnull=True, ended_at__isnull=True).exclude(warning="")
    warnings = warnings.only("task", "warning").order_by()
    tasks = (
        Task.objects.filter(pk__in=list(ids))
        .only(*_FIELDS)
        .order_by()
        .prefetch_related(
            Prefetch("assignments", assignments, to_attr="shown_assignments"),
            Prefetch("runs", runs, to_attr="active_runs"),
            Prefetch("decisions", warnings, to_attr="open_decisions"),
            Prefetch("labels", Label.objects.order_by("name"), to_attr="shown_labels"),
        )
    )
    any_url = reverse("task", args=["REF"])
    cards = {}
    for task in tasks:
        task.project = projects[task.project_id]
        cards[task.pk] = _card(task, any_url.replace("REF", task.ref), now)
    for pk in completed_at_unknown_times(tasks):
        cards[pk].ended_before = True
    return cards


def read_kept_cards(ids: Iterable[int], projects: dict[int, Project]) -> dict[int, KeptCard]:
    """The places of these tasks by id, in one query."""
    rows = Task.objects.filter(pk__in=list(ids)).order_by().values_list("pk", "project_id", "number", "status")
    return {pk: KeptCard(f"{projects[project].key}-{number}", status) for pk, project, number, status in rows}
