"""What people do for runs, one by one: questions and reviews."""

from datetime import datetime

from reports.tests.recounting.facts import Fact, labels_of, milliseconds, person, priority, whose
from tasks.models import Question, Review


def questions(project_ids: list[int], now: datetime) -> list[Fact]:
    facts = []
    for each in Question.objects.filter(project_id__in=project_ids):
        is_answered = each.state == "answered"
        facts.append(
            Fact(
                moments={"asked": each.asked_at, "ended": each.ended_at},
                measures={
                    "time_to_answer": milliseconds(each.asked_at, each.ended_at) if is_answered else None,
                    "age": None if each.ended_at else milliseconds(each.asked_at, now),
                    "answered": int(is_answered) if each.ended_at else None,
                },
                words=whose(each.run.agent)
                | {
                    "project": each.project.key,
                    "kind": each.kind,
                    "state": each.state,
                    "urgency": priority(each.urgency),
                    "role": each.to_role or None,
                    "answered_by": person(each.answered_by),
                    "priority": priority(each.task.priority),
                },
                many=labels_of(each.task_id),
            )
        )
    return facts


def reviews(project_ids: list[int]) -> list[Fact]:
    facts = []
    for each in Review.objects.all():
        task = each.run.task
        if task.project_id in project_ids:
            facts.append(
                Fact(
                    moments={"given": each.created_at},
                    measures={
                        "wait": milliseconds(each.run.ended_at, each.created_at),
                        "approved": int(each.verdict == "approved"),
                    },
                    words=whose(each.run.agent)
                    | {
                        "project": task.project.key,
                        "reviewer": person(each.reviewer),
                        "verdict": each.verdict,
                        "priority": priority(task.priority),
                    },
                    many=labels_of(task.pk),
                )
            )
    return facts
