"""What is read of tasks to show them: one statement for whatever tasks, and no model instances."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.contrib.auth.models import User
from django.db.models import Exists, FilteredRelation, Func, OuterRef, Q, QuerySet, TextField

from taskproject.prepared.querysets import prepared
from tasks.briefing import said
from tasks.clock import Clock
from tasks.models import AssignmentEnd, Task
from tasks.querysets import TaskQuerySet, seen_as, sight_of
from tasks.refs import parse_ref


class TaskRow(NamedTuple):
    """A task's row and what is read of the rows it refers to, in the order of the statement's columns."""

    id: int
    number: int
    title: str
    description: str
    status: str
    priority: int
    due_at: datetime | None
    start_after: datetime | None
    on_hold: bool
    deferred_until: datetime | None
    last_failure: dict[str, Any] | None
    open_blockers: int
    estimate_minutes: int | None
    criteria: list[str]
    progress_percent: int
    progress_note: str
    progress_at: datetime | None
    attempts: int
    max_attempts: int
    review_required: bool
    result: Any
    summary: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    version: int
    key: str
    parent_number: int | None
    creator_username: str | None
    creator_slug: str | None
    run_agent: str | None
    run_number: int | None
    run_started_at: datetime | None
    run_lease_expires_at: datetime | None
    run_last_progress_at: datetime | None
    run_stalled_at: datetime | None
    run_plan_steps: int | None
    run_plan_settled: int | None
    attached: str | None
    read_at: datetime | None
    has_thread: bool = False


#: Where the columns come from that are no fields of a task.
_PATHS = {
    "key": "project__key",
    "parent_number": "parent__number",
    "creator_username": "created_by__username",
    "creator_slug": "created_by__agent__slug",
    **{name: f"_run__{name.removeprefix('run_')}" for name in TaskRow._fields if name.startswith("run_")},
    "run_agent": "_run__agent__slug",
}
_COLUMNS = tuple(_PATHS.get(name, name) for name in TaskRow._fields if name != "has_thread")

LABELS, SKILLS, ASSIGNEES, DEPENDENCIES, CHILDREN = range(5)
#: What is attached to the task ``{task}``: (kind, place, text, number). Written in SQL, because the ORM has no union of
#: tables inside of a query. Short: the driver keeps only texts of up to 4,096 characters.
ATTACHED = f"""(SELECT CAST({{collected}}({{array}}(kind, place, name, number)) AS text) FROM (
SELECT {LABELS} AS kind, o.id AS place, l.name AS name, 0 AS number
FROM tasks_task_labels o JOIN tasks_label l ON l.id = o.label_id WHERE o.task_id = {{task}}
UNION ALL SELECT {SKILLS}, n.id, s.name, n.min_level
FROM tasks_requiredskill n JOIN tasks_skill s ON s.id = n.skill_id WHERE n.task_id = {{task}}
UNION ALL SELECT {ASSIGNEES}, a.id, g.slug, 0 FROM tasks_assignment a JOIN tasks_agent g ON g.id = a.agent_id
WHERE a.task_id = {{task}} AND (a.ended_at IS NULL OR a.end_reason = '{AssignmentEnd.CLOSED.value}')
UNION ALL SELECT {DEPENDENCIES}, e.id, d.status, d.number
FROM tasks_dependency e JOIN tasks_task d ON d.id = e.depends_on_id WHERE e.task_id = {{task}}
UNION ALL SELECT {CHILDREN}, c.id, c.status, c.number FROM tasks_task c WHERE c.parent_id = {{task}}
) attached)"""  # noqa: S608 - of constants


class Attached(Func):
    """The labels, required skills, assignees, dependencies and children of a task, as a JSON text for ``around``."""

    output_field = TextField()

    def __init__(self) -> None:
        super().__init__("pk")

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> tuple[str, tuple[Any, ...]]:
        task, parameters = compiler.compile(self.source_expressions[0])
        assert not parameters
        names = {"collected": "json_group_array", "array": "json_array"}
        if connection.vendor == "postgresql":
            names = {"collected": "json_agg", "array": "json_build_array"}
        return ATTACHED.format(task=task, **names), ()


class Around(NamedTuple):
    """What is attached to a task, each kind in the order in which it was attached, with a number: the level of a skill,
    the number of another task in the same project, which comes with its status.
    """

    labels: list[tuple[str, int]]
    skills: list[tuple[str, int]]
    assignees: list[tuple[str, int]]
    dependencies: list[tuple[str, int]]
    children: list[tuple[str, int]]

    @property
    def waits(self) -> bool:
        """Whether the task waits, or has waited, for others."""
        return bool(self.dependencies or self.children)


Read = tuple[TaskRow, Around]


def _around(attached: str | None) -> Around:
    around = Around([], [], [], [], [])
    if attached:
        for kind, _, text, number in sorted(orjson.loads(attached)):
            around[kind].append((text, number))
    return around


def _rows(tasks: QuerySet[Task], *more: str) -> QuerySet[Task, Any]:
    run = FilteredRelation("runs", condition=Q(runs__ended_at__isnull=True))
    return tasks.annotate(_run=run, attached=Attached(), read_at=Clock()).order_by().values_list(*_COLUMNS, *more)


@prepared
def _with_ids(tasks: Any, *, for_runs: bool) -> QuerySet[Task, Any]:
    rows = Task.objects.filter(pk__any=tasks)
    if not for_runs:
        return _rows(rows)
    return _rows(rows.annotate(has_thread=Exists(said().filter(task=OuterRef("pk")))), "has_thread")


@prepared
def _named(key: Any, number: Any, member: Any, reach: Any, *, is_member: bool, is_limited: bool) -> QuerySet[Task, Any]:
    tasks: TaskQuerySet = Task.objects.filter(project__key=key, number=number)
    return _rows(tasks.filter(seen_as(member, reach, "project__", is_member=is_member, is_limited=is_limited)))


def read_tasks(ids: Sequence[int], *, for_runs: bool = False) -> list[Read]:
    """The tasks with these ids as they are now, in the given order; those deleted meanwhile are left out.

    ``for_runs``: also whether they have a thread.
    """
    if not ids:
        return []
    rows = {row[0]: row for row in _with_ids.all(tasks=list(ids), for_runs=for_runs)}
    return [_read(rows[pk]) for pk in ids if pk in rows]


def read_task_named(actor: User, ref: str) -> Read | None:
    """The task with this ref, if ``actor`` may see it."""
    parsed = parse_ref(ref)
    if parsed is None:
        return None
    row = _named.first(key=parsed[0], number=parsed[1], **sight_of(actor))
    return None if row is None else _read(row)


def _read(columns: Sequence[Any]) -> Read:
    row = TaskRow(*columns)
    return row, _around(row.attached)
