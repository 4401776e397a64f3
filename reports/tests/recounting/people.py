"""What people do for runs, one by one: questions and reviews."""

from datetime import datetime

from reports.tests.recounting.facts import Fact, creator_of, labels_in, milliseconds, person, priority, whose
from tasks.models import AskedQuestion, StatusInterval


def questions(project_ids: list[int], now: datetime) -> list[Fact]:
    facts = []
    for each in AskedQuestion.objects.filter(project_id__in=project_ids):
        is_answered = each.state == "answered"
        facts.append(
            Fact(
                moments={"asked": each.asked_at, "ended": each.ended_at},
                measures={
                    "time_to_answer": milliseconds(each.asked_at, each.ended_at) if is_answered else None,
                    "age": None if each.ended_at else milliseconds(each.asked_at, now),
                    "answered": int(is_answered) if each.ended_at else None,
                },
                words=whose(each.agent)
                | {
                    "project": each.project.key,
                    "kind": each.kind,
                    "state": each.state,
                    "urgency": priority(each.urgency),
                    "role": each.to_role or None,
                    "answered_by": person(each.answered_by),
                    "priority": priority(each.priority),
                },
                many=labels_in(each.label_set_id),
            )
        )
    return facts


def reviews(project_ids: list[int]) -> list[Fact]:
    return [
        Fact(
            moments={"given": each.ended_at},
            measures={
                "wait": milliseconds(each.began_at, each.ended_at),
                "approved": int(each.verdict == "approved"),
            },
            words=whose(each.agent)
            | {
                "project": each.project.key,
                "reviewer": each.reviewer or None,
                "verdict": each.verdict,
                "priority": priority(each.priority),
                "created_by": creator_of(each.task_id, each.episode),
            },
            many=labels_in(each.label_set_id),
        )
        for each in StatusInterval.objects.filter(project_id__in=project_ids).select_related("project", "agent")
        if each.status == "in_review" and each.verdict
    ]
