"""Intervals of a status and runs, one by one."""

from datetime import datetime

from reports.tests.recounting.facts import (
    Fact,
    creator_of,
    labels_in,
    millionths,
    milliseconds,
    priority,
    whose,
    yes_or_no,
)
from tasks.models import Episode, StatusInterval


def intervals(project_ids: list[int], now: datetime) -> list[Fact]:
    facts = []
    for each in _rows(project_ids):
        fact = _shared(each, now)
        fact.words |= {
            "status": each.status,
            "reason": each.reason or None,
            "goes_on": yes_or_no(each.ended_at is None),
        }
        episode = Episode.objects.filter(task_id=each.task_id, number=each.episode).first()
        fact.times["started"] = episode.started_at if episode else None
        facts.append(fact)
    return facts


def runs(project_ids: list[int], now: datetime) -> list[Fact]:
    facts = []
    for each in _rows(project_ids):
        if each.status == "in_progress" and each.run_number is not None:
            fact = _shared(each, now)
            fact.words |= {
                "outcome": each.outcome or None,
                "code": each.code or None,
                "pulled": yes_or_no(each.is_pulled),
            }
            fact.measures |= {
                "succeeded": int(each.outcome == "completed") if each.ended_at else None,
                "input_tokens": each.input_tokens,
                "output_tokens": each.output_tokens,
                "tokens": each.input_tokens + each.output_tokens,
                "cost": millionths(each.cost),
                "tasks": each.task_id,
                "agents": each.agent_id,
            }
            facts.append(fact)
    return facts


def _rows(project_ids: list[int]):
    return StatusInterval.objects.filter(project_id__in=project_ids).select_related("project", "agent")


def _shared(each: StatusInterval, now: datetime) -> Fact:
    return Fact(
        moments={"began": each.began_at, "ended": each.ended_at},
        measures={
            "duration": milliseconds(each.began_at, each.ended_at),
            "age": None if each.ended_at else milliseconds(each.began_at, now),
        },
        words=whose(each.agent)
        | {
            "project": each.project.key,
            "version": each.version or None,
            "created_by": creator_of(each.task_id, each.episode),
            "priority": priority(each.priority),
        },
        many=labels_in(each.label_set_id),
    )
