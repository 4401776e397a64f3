"""Tasks as they are now, one by one. Their conditions are those of the task list."""

from datetime import datetime

from reports.tests.recounting.facts import Fact, labels_of, milliseconds, minutes, person, priority, yes_or_no
from tasks.models import Episode, Task


def tasks(project_ids: list[int], now: datetime) -> list[Fact]:
    return [_fact(each, now) for each in Task.objects.filter(project_id__in=project_ids)]


def _fact(task: Task, now: datetime) -> Fact:
    first = Episode.objects.filter(task_id=task.pk, number=1).first()
    created = None if first and first.entered_from == "unknown" else task.created_at
    is_open = task.status in ("not_started", "in_progress", "waiting", "in_review")
    has_begun = task.status != "not_started"
    assignees = {
        each.agent.slug for each in task.assignments.all() if each.ended_at is None or each.end_reason == "closed"
    }
    return Fact(
        moments={"created": created, "updated": task.updated_at, "due": task.due_at},
        measures={
            "age": milliseconds(created, now) if is_open else None,
            "runs": task.run_count,
            "attempts": task.attempts,
            "lease_losses": task.lease_losses,
            "estimate": minutes(task.estimate_minutes),
            "open_questions": task.open_questions,
        },
        words={
            "project": task.project.key,
            "status": task.status,
            "priority": priority(task.priority),
            "created_by": person(task.created_by),
            "blocked": yes_or_no(task.open_blockers > 0 and not has_begun),
            "on_hold": yes_or_no(task.on_hold and not has_begun),
            "has_due_date": yes_or_no(task.due_at is not None),
            "review_required": yes_or_no(task.review_required),
        },
        many=labels_of(task) | {"assignee": assignees},
        numbers={"estimate": task.estimate_minutes, "attempts": task.attempts, "progress": task.progress_percent},
        flags={
            "overdue": is_open and task.due_at is not None and task.due_at < now,
            "unassigned": not any(each.ended_at is None for each in task.assignments.all()),
        },
        times={
            "created": task.created_at,
            "completed": task.completed_at if task.status == "completed" else None,
            "started": task.started_at,
        },
    )
