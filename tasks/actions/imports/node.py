"""A task as the import sees it: what the file says, what the project has, and what becomes of it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Count

from tasks.actions.imports.plan import PlannedComment, PlannedTask
from tasks.batches import batches
from tasks.models import Agent, Assignment, Dependency, RequiredSkill, Task, TaskLink, TimeSource
from tasks.transitions import Status

#: Columns that are compared and written unchanged.
COLUMNS = (
    "title",
    "description",
    "status",
    "priority",
    "criteria",
    "due_at",
    "start_after",
    "on_hold",
    "estimate_minutes",
    "review_required",
    "max_attempts",
    "result",
    "summary",
    "created_at",
    "started_at",
    "completed_at",
)


@dataclass(frozen=True)
class Times:
    """When a task was created and completed, and where each comes from.

    A creation from nowhere (None) is the import itself; there is no completion unless the task is completed.
    """

    created_at: datetime
    created_from: TimeSource | None
    completed_at: datetime | None = None
    completed_from: TimeSource | None = None


class Fate(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    LEAVE_ALONE = "leave_alone"
    OLDER = "older"


@dataclass(eq=False)
class Node:
    """A task of the plan (``planned``), of the project (``task``), or both.

    ``labels`` to ``assignees`` are resolved and complete; None if the file does not give them. ``fingerprint`` and
    ``source_updated_at`` are the file's, as read.
    """

    planned: PlannedTask | None = None
    task: Task | None = None
    fingerprint: str = ""
    source_updated_at: datetime | None = None
    #: The times that cannot be as the file has them, and where those that are written instead come from.
    moved: dict[str, TimeSource] = field(default_factory=dict)
    times: Times | None = None
    #: Whether the task's time of creation is no fact, but when it was imported.
    creation_unknown: bool = False
    fate: Fate = Fate.UNCHANGED
    labels: list[str] | None = None
    depends_on: "list[Node] | None" = None
    links: "list[tuple[str, Node]] | None" = None
    assignees: list[Agent] | None = None
    parent: "Node | None" = None
    parent_is_implied: bool = False
    changed: list[str] = field(default_factory=list)
    #: The comments of the file that the thread does not have.
    comments: list[PlannedComment] = field(default_factory=list)

    @classmethod
    def of(cls, planned: PlannedTask) -> "Node":
        """The node of a task of the file, with values of its own: mending them leaves the plan as it was read."""
        own = replace(planned, values=dict(planned.values), notes=list(planned.notes))
        return cls(planned=own, fingerprint=planned.fingerprint(), source_updated_at=planned.values.get("updated_at"))

    @property
    def entry(self) -> PlannedTask:
        """The task in the file; only for tasks that are in it."""
        assert self.planned is not None
        return self.planned

    @property
    def row(self) -> Task:
        """The task in the database; only for tasks that are already in it."""
        assert self.task is not None
        return self.task

    @property
    def name(self) -> str:
        if self.planned is not None:
            return self.planned.name
        return self.row.ref

    @property
    def key(self) -> "int | Node":
        """What represents the task in the graph: its id if it already has one."""
        return self.task.pk if self.task is not None else self

    @property
    def writes(self) -> bool:
        return self.fate in (Fate.CREATE, Fate.UPDATE)

    @property
    def status(self) -> Status:
        """The status after the import."""
        return Status(self.value("status") or Status.NOT_STARTED)

    @property
    def ends_anew(self) -> bool:
        """Whether the import says when, and whether, the task was completed."""
        return self.fate == Fate.CREATE or not {"status", "completed_at"}.isdisjoint(self.changed)

    def value(self, name: str) -> Any:
        """The value of a column after the import: the file's if it is written, else the task's."""
        if self.writes and self.gives(name):
            return self.entry.values[name]
        return getattr(self.task, name, None)

    def gives(self, name: str) -> bool:
        return self.planned is not None and name in self.planned.values


class Present:
    """The current relations of the tasks of ``nodes``, read with one query per kind of relation."""

    def __init__(self, nodes: list[Node]) -> None:
        self.labels: dict[int, set[str]] = defaultdict(set)
        self.skills: dict[int, set[tuple[str, int]]] = defaultdict(set)
        self.depends_on: dict[int, set[int]] = defaultdict(set)
        self.links: dict[int, set[tuple[str, int]]] = defaultdict(set)
        self.assignees: dict[int, set[int]] = defaultdict(set)
        for ids in batches(node.task.pk for node in nodes if node.task is not None):
            for pk, name in Task.objects.filter(pk__in=ids, labels__isnull=False).values_list("pk", "labels__name"):
                self.labels[pk].add(name)
            skills = RequiredSkill.objects.filter(task__in=ids).order_by()
            for pk, name, level in skills.values_list("task_id", "skill__name", "min_level"):
                self.skills[pk].add((name, level))
            for pk, other in Dependency.objects.filter(task__in=ids).values_list("task_id", "depends_on_id"):
                self.depends_on[pk].add(other)
            for pk, kind, other in TaskLink.objects.filter(task__in=ids).values_list("task_id", "kind", "target_id"):
                self.links[pk].add((kind, other))
            for assignment in Assignment.objects.filter(task__in=ids):
                if assignment.counts:
                    self.assignees[assignment.task_id].add(assignment.agent_id)

    def differing(self, node: Node) -> list[str]:
        """Names of the fields in the file that differ from the task's."""
        task, values = node.row, node.entry.values
        pk = task.pk
        fields = [name for name in COLUMNS if name in values and getattr(task, name) != values[name]]
        if node.labels is not None and set(node.labels) != self.labels[pk]:
            fields.append("labels")
        if "required_skills" in values and set(values["required_skills"]) != self.skills[pk]:
            fields.append("required_skills")
        if node.depends_on is not None and {other.key for other in node.depends_on} != self.depends_on[pk]:
            fields.append("depends_on")
        if node.links is not None and {(kind, other.key) for kind, other in node.links} != self.links[pk]:
            fields.append("links")
        if node.assignees is not None and {agent.pk for agent in node.assignees} != self.assignees[pk]:
            fields.append("assignees")
        if "parent" in values and (node.parent.key if node.parent else None) != task.parent_id:
            fields.append("parent")
        return fields


def count_blockers(ids: list[int]) -> Counter[int]:
    """How many uncompleted dependencies and unsettled children each of these tasks has."""
    counted: Counter[int] = Counter()
    dependencies = Dependency.objects.filter(task__in=ids).exclude(depends_on__status=Status.COMPLETED)
    children = Task.objects.filter(parent__in=ids).exclude(status__in=(Status.COMPLETED, Status.CANCELLED))
    for column, rows in (("task_id", dependencies), ("parent_id", children)):
        counted.update(dict(rows.order_by().values(column).annotate(n=Count("pk")).values_list(column, "n")))
    return counted
