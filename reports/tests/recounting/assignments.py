"""Assignments, one by one."""

from reports.tests.recounting.facts import Fact, milliseconds, priority, whose, yes_or_no
from tasks.models import Assignment


def assignments(project_ids: list[int]) -> list[Fact]:
    rows = Assignment.objects.filter(task__project_id__in=project_ids).select_related("task__project", "agent")
    return [
        Fact(
            moments={"began": each.created_at, "ended": each.ended_at},
            measures={"duration": milliseconds(each.created_at, each.ended_at)},
            words=whose(each.agent)
            | {
                "project": each.task.project.key,
                "source": each.source,
                "end": each.end_reason or None,
                "offered": yes_or_no(each.accept_by is not None),
                "status": each.task.status,
                "priority": priority(each.task.priority),
            },
        )
        for each in rows
    ]
