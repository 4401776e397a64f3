"""What the tests of the import share."""

from django.apps import apps

from tasks.models import Task


def name_of_task(task: Task) -> str:
    return task.external_id or task.ref


def everything_of(task: Task) -> dict:
    """Everything that a file can say about a task, in plain values; tasks by external id, or else ref."""

    def iso(value):
        return value.isoformat() if value else None

    return {
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "priority": task.priority,
        "labels": set(task.labels.values_list("name", flat=True)),
        "due_at": iso(task.due_at),
        "start_after": iso(task.start_after),
        "deferred_until": iso(task.deferred_until),
        "on_hold": task.on_hold,
        "estimate_minutes": task.estimate_minutes,
        "required_skills": set(task.required_skills.values_list("skill__name", "min_level")),
        "assignees": {row.agent.slug for row in task.assignments.select_related("agent") if row.counts},
        "depends_on": {name_of_task(row.depends_on) for row in task.dependencies.select_related("depends_on__project")},
        "parent": name_of_task(task.parent) if task.parent else None,
        "criteria": task.criteria,
        "review_required": task.review_required,
        "max_attempts": task.max_attempts,
        "open_blockers": task.open_blockers,
        "created_by": task.created_by.username if task.created_by else None,
    }


def count_all_rows() -> dict[str, int]:
    """How many rows each table has."""
    return {model._meta.label: model._base_manager.count() for model in apps.get_models(include_auto_created=True)}
