"""Assignments and their steps, one by one."""

from decimal import Decimal

from reports.tests.recounting.facts import Fact, labels_in, millionths, milliseconds, priority, whose, yes_or_no
from tasks.models import Assignment, AssignmentStep


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


def steps(project_ids: list[int]) -> list[Fact]:
    rows = AssignmentStep.objects.filter(project_id__in=project_ids).select_related("project", "agent")
    return [
        Fact(
            moments={"happened": each.at},
            measures={"score": _whole(each.score), "margin": _whole(each.margin)},
            words=whose(each.agent) | {"project": each.project.key, "step": each.step},
            many=labels_in(each.label_set_id),
        )
        for each in rows
    ]


def _whole(value: float | None) -> int | None:
    return None if value is None else millionths(Decimal(str(value)))
