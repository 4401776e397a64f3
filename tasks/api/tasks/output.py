"""How a task is shown. The list of 50 is the most requested answer, so it is built without model instances."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers
from rest_framework.response import Response

from tasks import clock
from tasks.api.fields import AnyJSON
from tasks.api.tasks.rows import Read, TaskRow, read_task_named, read_tasks
from tasks.errors import NotFound
from tasks.finding import no_task
from tasks.models import Priority, Task
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


def _show(task: Read, now: datetime) -> dict[str, Any]:
    row, around = task
    key = row.key
    blocked_by = []
    if row.open_blockers:
        open_ones = [number for status, number in around.dependencies if not satisfies_dependency(status)]
        open_ones += [number for status, number in around.children if not settles_child(status)]
        blocked_by = [ref_of(key, number) for number in dict.fromkeys(open_ones)]
    counts = has_result(row.status)
    return {
        "ref": ref_of(key, row.number),
        "project": key,
        "title": row.title,
        "description": row.description,
        "status": row.status,
        "priority": PRIORITY_NAMES[row.priority],
        "labels": sorted([name for name, _ in around.labels]),
        "due_at": row.due_at,
        "start_after": row.start_after,
        "on_hold": row.on_hold,
        "estimate_minutes": row.estimate_minutes,
        "required_skills": [{"skill": name, "min_level": level} for name, level in sorted(around.skills)],
        "assignees": list(dict.fromkeys([slug for slug, _ in around.assignees])),
        "depends_on": [ref_of(key, number) for _, number in around.dependencies],
        "blocked_by": blocked_by,
        "is_ready": is_ready(row.status, row.open_blockers, row.deferred_until, now, on_hold=row.on_hold),
        "is_overdue": is_overdue(row.status, row.due_at, now),
        "parent": ref_of(key, row.parent_number) if row.parent_number else None,
        "criteria": row.criteria,
        "progress": {"percent": row.progress_percent, "note": row.progress_note, "at": row.progress_at},
        "active_run": _active_run(row) if row.status == Status.IN_PROGRESS and row.run_number else None,
        "ready_at": ready_at(row.status, row.deferred_until, now),
        "last_failure": row.last_failure,
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "review_required": row.review_required,
        "result": row.result if counts else None,
        "summary": row.summary if counts else "",
        "created_by": row.creator_slug or row.creator_username,
        "external_id": row.external_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "started_at": row.started_at,
        "completed_at": row.completed_at if row.status == Status.COMPLETED else None,
        "version": row.version,
    }


def _active_run(row: TaskRow) -> dict[str, Any]:
    return {
        "agent": row.run_agent,
        "number": row.run_number,
        "started_at": row.run_started_at,
        "lease_expires_at": row.run_lease_expires_at,
        "last_progress_at": row.run_last_progress_at,
        "is_stalled": row.run_stalled_at is not None,
        "steps": row.run_plan_steps,
        "settled": row.run_plan_settled,
    }


def show_tasks(tasks: Sequence[Read]) -> list[dict[str, Any]]:
    """``TaskOutput`` of tasks that were read for it, in their order."""
    if not tasks:
        return []
    now = clock.read(tasks[0][0].read_at)
    return [_show(task, now) for task in tasks]


def task_outputs(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """The tasks as they are now in the database, in the given order."""
    return show_tasks(read_tasks([task.pk for task in tasks]))


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
    read = read_task_named(actor, ref)
    if read is None:
        raise no_task(ref)
    return show_tasks([read])[0]


def etag_of(output: dict[str, Any]) -> str:
    return f'"{output["version"]}"'


def output_response(output: dict[str, Any], *, status: int = 200) -> Response:
    """A ``TaskOutput`` with its version as ``ETag``."""
    return Response(output, status=status, headers={"ETag": etag_of(output)})


def task_response(task: Task, *, status: int = 200) -> Response:
    """The task as it is now, with its version as ``ETag``."""
    shown = task_outputs([task])
    if not shown:
        raise deleted_since(task)
    return output_response(shown[0], status=status)


def deleted_since(task: Task) -> NotFound:
    """The answer about a task that was deleted between a verb and its answer."""
    return NotFound(f"{task.ref} was deleted meanwhile.")
