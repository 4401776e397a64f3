"""Episodes, one by one."""

import math

from reports.tests.recounting.facts import (
    Fact,
    labels_in,
    millionths,
    milliseconds,
    minutes,
    priority,
    whose,
    yes_or_no,
)
from tasks.models import Episode, StatusInterval


def episodes(project_ids: list[int]) -> list[Fact]:
    rows = Episode.objects.filter(project_id__in=project_ids)
    return [_fact(each) for each in rows.select_related("project", "agent")]


def _time_in(status: str, each: Episode) -> int | None:
    there = StatusInterval.objects.filter(task_id=each.task_id, episode=each.number, status=status)
    times = [milliseconds(interval.began_at, interval.ended_at) for interval in there if interval.ended_at]
    return sum(times) if times else None


def _fact(each: Episode) -> Fact:
    former = Episode.objects.filter(task_id=each.task_id, number=each.number - 1).first()
    undone = former if former and former.end == "completed" else None
    entered = None if each.entered_from == "unknown" else each.entered_at
    ended = None if each.ended_from == "unknown" else each.ended_at
    is_done = each.end == "completed"
    was_due = each.due_at if is_done and ended else None
    return Fact(
        moments={
            "completed": ended if is_done else None,
            "entered": entered,
            "started": each.started_at,
            "ended": ended,
        },
        measures={
            "lead": milliseconds(entered, ended),
            "queue": milliseconds(entered, each.started_at),
            "cycle": milliseconds(each.started_at, ended),
            "worked": math.floor(each.worked_seconds * 1000 + 0.5),
            "runs": each.runs,
            "failed_runs": each.failed_runs,
            "changes_requested": each.changes_requested,
            "reopened": int(each.is_reopened),
            "imported": int(each.is_imported),
            "inferred": int("inferred" in (each.entered_from, each.ended_from)),
            "inferred_end": int(each.ended_from == "inferred"),
            "first_try": int(not each.changes_requested and not each.failed_runs) if is_done else None,
            **{
                f"time_{status}": _time_in(status, each)
                for status in ("not_started", "in_progress", "waiting", "in_review")
            },
            "on_time": int(each.ended_at <= was_due) if was_due else None,
            "late": int(each.ended_at > was_due) if was_due else None,
            "lateness": milliseconds(was_due, ended),
            "estimate": minutes(each.estimate_minutes),
            "input_tokens": each.input_tokens,
            "output_tokens": each.output_tokens,
            "tokens": each.input_tokens + each.output_tokens,
            "cost": millionths(each.cost),
        },
        words=whose(each.agent)
        | {
            "project": each.project.key,
            "version": each.version or None,
            "priority": priority(each.priority),
            "created_by": each.created_by or None,
            "end": each.end or None,
            "credit": each.credit or None,
            "reopened": yes_or_no(each.is_reopened),
            "continues": yes_or_no(_continues(each)),
            "imported": yes_or_no(each.is_imported),
            "has_due_date": yes_or_no(each.due_at is not None),
            "punctuality": ("late" if each.ended_at > was_due else "on_time") if was_due else None,
            "entry_time": each.entered_from,
            "end_time": each.ended_from or None,
            "former_agent": whose(undone.agent)["agent"] if undone else None,
            "former_version": (undone.version or None) if undone else None,
            "former_credit": undone.credit if undone else None,
        },
        many=labels_in(each.label_set_id),
    )


def _continues(each: Episode) -> bool:
    former = Episode.objects.filter(task_id=each.task_id, number=each.number - 1).first()
    return former is not None and former.entered_at == each.entered_at
