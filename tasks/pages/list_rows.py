"""A task as the list shows it, read with its labels and assignees in three queries whatever their number."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.models import Agent, Assignment, Priority, Task, counting
from tasks.pages.retries import Retry, retry_of_values
from tasks.refs import ref_of
from tasks.transitions import Status, is_overdue

READ = (
    "id", "number", "title", "status", "priority", "due_at", "due_order", "created_at", "updated_at", "started_at",
    "completed_at", "external_id", "attempts", "max_attempts", "last_failure", "deferred_until", "start_after",
    "estimate_minutes", "progress_percent", "project__key", "parent__number", "created_by__username",
    "created_by__agent__slug",
)  # fmt: skip


@dataclass
class Row:
    """A task as the list shows it."""

    values: dict[str, Any]
    now: datetime
    labels: list[str] = field(default_factory=list)
    assignees: list[Agent] = field(default_factory=list)

    @property
    def ref(self) -> str:
        return ref_of(self.values["project__key"], self.values["number"])

    @property
    def parent(self) -> str | None:
        number = self.values["parent__number"]
        return ref_of(self.values["project__key"], number) if number else None

    @property
    def priority(self) -> str:
        return Priority(self.values["priority"]).label

    @property
    def is_overdue(self) -> bool:
        return is_overdue(self.values["status"], self.values["due_at"], self.now)

    @property
    def retry(self) -> Retry:
        return retry_of_values(self.values, self.now)

    @property
    def completed_at(self) -> datetime | None:
        return self.values["completed_at"] if self.values["status"] == Status.COMPLETED else None

    @property
    def created_by(self) -> str | None:
        return self.values["created_by__agent__slug"] or self.values["created_by__username"]


def rows_of(values: list[dict[str, Any]], now: datetime) -> list[Row]:
    """The rows of tasks read as ``READ``, with their labels and assignees."""
    rows = {each["id"]: Row(each, now) for each in values}
    labels = Task.labels.through.objects.filter(task__in=rows).order_by("label__name")
    for task, name in labels.values_list("task_id", "label__name"):
        rows[task].labels.append(name)
    seen: dict[int, set[int]] = defaultdict(set)
    for assignment in Assignment.objects.filter(counting(), task__in=rows).select_related("agent").order_by("id"):
        if assignment.agent_id not in seen[assignment.task_id]:
            seen[assignment.task_id].add(assignment.agent_id)
            rows[assignment.task_id].assignees.append(assignment.agent)
    return list(rows.values())
