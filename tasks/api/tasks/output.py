"""How a task is shown. The list of 50 is the most requested answer, so it is built without model instances.

One query reads the rows, one everything attached to them (labels, skills, assignees, dependencies, children), and one
the active runs, if there are any.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from tasks import clock
from tasks.api.fields import AnyJSON
from tasks.finding import no_task, task_named
from tasks.models import AssignmentEnd, Priority, Run, Task
from tasks.refs import ref_of
from tasks.transitions import Status, has_result, is_overdue, is_ready, ready_at, satisfies_dependency, settles_child

PRIORITY_NAMES = {priority.value: priority.name.lower() for priority in Priority}
PRIORITIES = {name: value for value, name in PRIORITY_NAMES.items()}


class SkillLevel(serializers.Serializer):
    skill = serializers.CharField()
    min_level = serializers.IntegerField(min_value=1, max_value=5)


class Progress(serializers.Serializer):
    percent = serializers.IntegerField(min_value=0, max_value=100)
    note = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class ActiveRun(serializers.Serializer):
    """The active run, as everyone sees it: never its id."""

    agent = serializers.CharField()
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    lease_expires_at = serializers.DateTimeField(allow_null=True)
    last_progress_at = serializers.DateTimeField()
    is_stalled = serializers.BooleanField()
    steps = serializers.IntegerField(help_text="How many steps its plan has; 0 without a plan.")
    settled = serializers.IntegerField(help_text="How many of them are completed or skipped.")


class LastFailure(serializers.Serializer):
    """The last attempt that failed, or whose lease ended; the runs of the task have all of it. Untrusted text."""

    agent = serializers.CharField()
    code = serializers.CharField(help_text="As the agent gave it; `lease_expired` if it fell silent.")
    detail = serializers.CharField(help_text="The first 500 characters.")
    at = serializers.DateTimeField()
    attempt = serializers.IntegerField(help_text="Which attempt it was; a lost lease costs none.")


class TaskOutput(serializers.Serializer):
    """A task. ``status`` and what runs write are read-only; verbs change them."""

    ref = serializers.CharField(help_text="KEY-number, such as OPS-42.")
    project = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    priority = serializers.ChoiceField(list(PRIORITIES))
    labels = serializers.ListField(child=serializers.CharField())
    due_at = serializers.DateTimeField(allow_null=True)
    start_after = serializers.DateTimeField(allow_null=True)
    on_hold = serializers.BooleanField(help_text="Set aside without a date: not ready until this is false.")
    estimate_minutes = serializers.IntegerField(allow_null=True)
    required_skills = SkillLevel(many=True)
    assignees = serializers.ListField(child=serializers.CharField())
    depends_on = serializers.ListField(child=serializers.CharField())
    blocked_by = serializers.ListField(child=serializers.CharField())
    is_ready = serializers.BooleanField()
    is_overdue = serializers.BooleanField()
    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # DRF has a method of that name
    criteria = serializers.ListField(child=serializers.CharField())
    progress = Progress()
    active_run = ActiveRun(allow_null=True)
    ready_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When a task may begin that now waits for its start or rests after a failure.",
    )
    last_failure = LastFailure(allow_null=True, help_text="Null once the task has a result or is reopened.")
    attempts = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    review_required = serializers.BooleanField()
    result = AnyJSON(allow_null=True, help_text="In review or completed; earlier ones are in the runs.")
    summary = serializers.CharField()
    created_by = serializers.CharField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True, help_text="Null unless the task is completed.")
    version = serializers.IntegerField()


#: The columns read from a task's row and from the rows it refers to.
COLUMNS = (
    "id",
    "number",
    "title",
    "description",
    "status",
    "priority",
    "due_at",
    "due_order",
    "start_after",
    "on_hold",
    "deferred_until",
    "last_failure",
    "open_blockers",
    "estimate_minutes",
    "criteria",
    "progress_percent",
    "progress_note",
    "progress_at",
    "attempts",
    "max_attempts",
    "review_required",
    "result",
    "summary",
    "external_id",
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
    "version",
    "project__key",
    "parent__number",
    "created_by__username",
    "created_by__agent__slug",
)
Row = dict[str, Any]


def task_rows(tasks: QuerySet[Task]) -> QuerySet[Task, Row]:
    """The columns that ``show_tasks`` needs, instead of instances."""
    return tasks.values(*COLUMNS)


class Around(TypedDict):
    """What is attached to one task. Dependencies and children are ``(number, status)`` in the task's project."""

    labels: list[str]
    skills: list[tuple[str, int]]
    assignees: list[str]
    dependencies: list[tuple[int, str]]
    children: list[tuple[int, str]]


LABELS, SKILLS, ASSIGNEES, DEPENDENCIES, CHILDREN = range(5)
#: What is attached to the tasks of ``{ids}``: (task, kind, rank, text, number). Written in SQL, because the ORM would
#: compile it again for each request, which took longer than the rest of the answer.
AROUND = f"""
    SELECT of_task.task_id, {LABELS}, of_task.id AS place, label.name, 0
    FROM tasks_task_labels of_task JOIN tasks_label label ON label.id = of_task.label_id
    WHERE of_task.task_id IN ({{ids}})
    UNION ALL
    SELECT needs.task_id, {SKILLS}, needs.id, skill.name, needs.min_level
    FROM tasks_requiredskill needs JOIN tasks_skill skill ON skill.id = needs.skill_id
    WHERE needs.task_id IN ({{ids}})
    UNION ALL
    SELECT assignment.task_id, {ASSIGNEES}, assignment.id, agent.slug, 0
    FROM tasks_assignment assignment JOIN tasks_agent agent ON agent.id = assignment.agent_id
    WHERE assignment.task_id IN ({{ids}})
      AND (assignment.ended_at IS NULL OR assignment.end_reason = '{AssignmentEnd.CLOSED.value}')
    UNION ALL
    SELECT edge.task_id, {DEPENDENCIES}, edge.id, other.status, other.number
    FROM tasks_dependency edge JOIN tasks_task other ON other.id = edge.depends_on_id
    WHERE edge.task_id IN ({{ids}})
    UNION ALL
    SELECT child.parent_id, {CHILDREN}, child.id, child.status, child.number
    FROM tasks_task child
    WHERE child.parent_id IN ({{ids}})
"""  # noqa: S608 - of constants; the ids are parameters


def _around(ids: list[int]) -> dict[int, Around]:
    sql = AROUND.format(ids=", ".join(["%s"] * len(ids)))
    with connection.cursor() as cursor:
        cursor.execute(sql, ids * 5)
        rows = cursor.fetchall()
    by_task: dict[int, Around] = defaultdict(
        lambda: Around(labels=[], skills=[], assignees=[], dependencies=[], children=[])
    )
    for task_id, kind, _, text, number in sorted(rows, key=lambda row: (row[1], row[2])):
        around = by_task[task_id]
        if kind == LABELS:
            around["labels"].append(text)
        elif kind == SKILLS:
            around["skills"].append((text, number))
        elif kind == ASSIGNEES:
            if text not in around["assignees"]:
                around["assignees"].append(text)
        else:
            around["dependencies" if kind == DEPENDENCIES else "children"].append((number, text))
    return by_task


def _active_runs(ids: list[int]) -> dict[int, dict[str, Any]]:
    if not ids:
        return {}
    runs = Run.objects.active().filter(task__in=ids).order_by()
    columns = (
        "agent__slug", "number", "started_at", "lease_expires_at", "last_progress_at", "stalled_at", "plan_steps",
        "plan_settled",
    )  # fmt: skip
    shown = {}
    for task_id, slug, number, started, ends, progressed, stalled, steps, settled in runs.values_list(
        "task_id", *columns
    ):
        shown[task_id] = {
            "agent": slug,
            "number": number,
            "started_at": started,
            "lease_expires_at": ends,
            "last_progress_at": progressed,
            "is_stalled": stalled is not None,
            "steps": steps,
            "settled": settled,
        }
    return shown


def _show(row: Row, around: Around, run: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    key = row["project__key"]
    blocked_by = []
    if row["open_blockers"]:
        open_ones = [number for number, status in around["dependencies"] if not satisfies_dependency(status)]
        open_ones += [number for number, status in around["children"] if not settles_child(status)]
        blocked_by = [ref_of(key, number) for number in dict.fromkeys(open_ones)]
    return {
        "ref": ref_of(key, row["number"]),
        "project": key,
        "title": row["title"],
        "description": row["description"],
        "status": row["status"],
        "priority": PRIORITY_NAMES[row["priority"]],
        "labels": sorted(around["labels"]),
        "due_at": row["due_at"],
        "start_after": row["start_after"],
        "on_hold": row["on_hold"],
        "estimate_minutes": row["estimate_minutes"],
        "required_skills": [{"skill": name, "min_level": level} for name, level in sorted(around["skills"])],
        "assignees": around["assignees"],
        "depends_on": [ref_of(key, number) for number, _ in around["dependencies"]],
        "blocked_by": blocked_by,
        "is_ready": is_ready(row["status"], row["open_blockers"], row["deferred_until"], now, on_hold=row["on_hold"]),
        "is_overdue": is_overdue(row["status"], row["due_at"], now),
        "parent": ref_of(key, row["parent__number"]) if row["parent__number"] else None,
        "criteria": row["criteria"],
        "progress": {"percent": row["progress_percent"], "note": row["progress_note"], "at": row["progress_at"]},
        "active_run": run,
        "ready_at": ready_at(row["status"], row["deferred_until"], now),
        "last_failure": row["last_failure"],
        "attempts": row["attempts"],
        "max_attempts": row["max_attempts"],
        "review_required": row["review_required"],
        "result": row["result"] if has_result(row["status"]) else None,
        "summary": row["summary"] if has_result(row["status"]) else "",
        "created_by": row["created_by__agent__slug"] or row["created_by__username"],
        "external_id": row["external_id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "started_at": row["started_at"],
        "completed_at": row["completed_at"] if row["status"] == Status.COMPLETED else None,
        "version": row["version"],
    }


def show_tasks(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """``TaskOutput`` for rows of ``task_rows``, in their order."""
    rows = list(rows)
    if not rows:
        return []
    # The database's clock is queried only if a date makes a difference.
    dated = any(row["due_at"] or row["deferred_until"] for row in rows)
    now = clock.now() if dated else rows[0]["updated_at"]
    around = _around([row["id"] for row in rows])
    runs = _active_runs([row["id"] for row in rows if row["status"] == Status.IN_PROGRESS])
    return [_show(row, around[row["id"]], runs.get(row["id"]), now) for row in rows]


def task_outputs(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """The tasks as they are now in the database, in the given order."""
    ids = [task.pk for task in tasks]
    rows = {row["id"]: row for row in task_rows(Task.objects.filter(pk__in=ids).order_by())}
    return show_tasks([rows[pk] for pk in ids])


TASK_EXAMPLE: dict[str, Any] = {
    "ref": "OPS-42",
    "project": "OPS",
    "title": "Rotate the signing keys",
    "description": "The old ones expire on Friday.",
    "status": "not_started",
    "priority": "high",
    "labels": ["security"],
    "due_at": "2026-11-27T17:00:00Z",
    "start_after": None,
    "on_hold": False,
    "estimate_minutes": 30,
    "required_skills": [{"skill": "python", "min_level": 3}],
    "assignees": ["atlas"],
    "depends_on": ["OPS-1"],
    "blocked_by": [],
    "is_ready": True,
    "is_overdue": False,
    "parent": None,
    "criteria": ["old keys are refused"],
    "progress": {"percent": 0, "note": "", "at": None},
    "active_run": None,
    "ready_at": None,
    "last_failure": None,
    "attempts": 0,
    "max_attempts": 3,
    "review_required": False,
    "result": None,
    "summary": "",
    "created_by": "ada",
    "external_id": None,
    "created_at": "2026-11-22T10:00:00Z",
    "updated_at": "2026-11-22T10:00:00Z",
    "started_at": None,
    "completed_at": None,
    "version": 1,
}
DONE_EXAMPLE = {**TASK_EXAMPLE, "status": "completed", "summary": "Rotated; old keys are refused"}


def find_task_output(actor: User, ref: str) -> dict[str, Any]:
    """``TaskOutput`` of the task with this ref, without a model instance. Raises ``NotFound``."""
    shown = show_tasks(task_rows(task_named(actor, ref)))
    if not shown:
        raise no_task(ref)
    return shown[0]


def etag_of(output: dict[str, Any]) -> str:
    return f'"{output["version"]}"'


def output_response(output: dict[str, Any], *, status: int = 200) -> Response:
    """A ``TaskOutput`` with its version as ``ETag``."""
    return Response(output, status=status, headers={"ETag": etag_of(output)})


def task_response(task: Task, *, status: int = 200) -> Response:
    """The task as it is now, with its version as ``ETag``."""
    return output_response(task_outputs([task])[0], status=status)
