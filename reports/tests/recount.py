"""A slow recount of definitions in plain Python, written apart from the vocabulary, to check reports against."""

import math
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tasks.models import Episode, StatusInterval

PRIORITIES = {1: "low", 2: "normal", 3: "high", 4: "urgent"}
SECONDS = {"lead", "queue", "cycle", "worked", "lateness", "duration"}
FLAGS = {"reopened", "first_try", "late", "succeeded"}
Fact = dict[str, Any]


def _ms(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None:
        return None
    micros = (end - start) // timedelta(microseconds=1)
    sign = -1 if micros < 0 else 1
    return sign * ((abs(micros) + 500) // 1000)


def episodes(project_ids: list[int]) -> list[Fact]:
    """Each episode: its moments where they are known, what is measured of it, and its words."""
    facts = []
    for each in Episode.objects.filter(project_id__in=project_ids).select_related("project", "agent"):
        entered = None if each.entered_from == "unknown" else each.entered_at
        ended = None if each.ended_from == "unknown" else each.ended_at
        is_done = each.end == "completed"
        was_due = each.due_at if is_done and ended else None
        measures = {
            "lead": _ms(entered, ended),
            "queue": _ms(entered, each.started_at),
            "cycle": _ms(each.started_at, ended),
            "worked": math.floor(each.worked_seconds * 1000 + 0.5),
            "runs": each.runs,
            "cost": int(each.cost * 1_000_000),
            "reopened": int(each.is_reopened),
            "first_try": int(not each.changes_requested and not each.failed_runs) if is_done else None,
            "late": int(each.ended_at > was_due) if was_due else None,
            "lateness": _ms(was_due, each.ended_at) if was_due else None,
        }
        words = {
            "project": each.project.key,
            "agent": each.agent.slug if each.agent else None,
            "agent_kind": each.agent.kind if each.agent else None,
            "version": each.version or None,
            "priority": PRIORITIES[each.priority],
            "end": each.end or None,
            "credit": each.credit or None,
            "reopened": "yes" if each.is_reopened else "no",
        }
        moments = {"entered": entered, "started": each.started_at, "ended": ended}
        moments["completed"] = ended if is_done else None
        facts.append({"moments": moments, "measures": measures, "words": words})
    return facts


def runs(project_ids: list[int]) -> list[Fact]:
    """Each interval in progress."""
    intervals = StatusInterval.objects.filter(project_id__in=project_ids, status="in_progress")
    return [
        {
            "moments": {"began": each.began_at, "ended": each.ended_at},
            "measures": {
                "duration": _ms(each.began_at, each.ended_at),
                "succeeded": int(each.outcome == "completed") if each.ended_at else None,
                "input_tokens": each.input_tokens,
                "cost": int(each.cost * 1_000_000),
            },
            "words": {
                "project": each.project.key,
                "agent": each.agent.slug if each.agent else None,
                "outcome": each.outcome or None,
                "code": each.code or None,
                "version": each.version or None,
            },
        }
        for each in intervals.select_related("project", "agent")
    ]


FACTS = {"episodes": episodes, "runs": runs}


def applies(where: Any, fact: Fact) -> bool:
    """Whether a condition applies to a fact; one without a value has only negations."""
    if where is None:
        return True
    if "all" in where:
        return all(applies(part, fact) for part in where["all"])
    if "any" in where:
        return any(applies(part, fact) for part in where["any"])
    if "not" in where:
        return not applies(where["not"], fact)
    name = where["field"]
    if name in fact["words"]:
        word = fact["words"][name]
        if "at_least" in where:
            order = list(PRIORITIES.values())
            return order.index(word) >= order.index(where["at_least"])
        return word in where["in"] if "in" in where else word is None or word not in where["not_in"]
    value = fact["measures"][name]
    if value is None:
        return False
    limit = where["at_least"] * (1000 if name in SECONDS else 1)
    return value >= limit


def bucket(moment: datetime, size: str, zone: ZoneInfo) -> date:
    """The name of the bucket that a time falls into."""
    local = moment.astimezone(zone)
    if size == "hour":
        return local.replace(minute=0, second=0, microsecond=0)
    day = local.date()
    if size == "week":
        return day - timedelta(days=day.isoweekday() - 1)
    if size == "month":
        return date(day.year, day.month, 1)
    if size == "quarter":
        return date(day.year, (1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10)[day.month - 1], 1)
    return date(day.year, 1, 1) if size == "year" else day


def figure(name: str | None, aggregate: str, facts: list[Fact]) -> Any:
    """One figure over facts, exact until it is rounded at the end."""
    if name is None:
        return len(facts)
    values = sorted(fact["measures"][name] for fact in facts if fact["measures"][name] is not None)
    if aggregate == "count":
        return len(values)
    if aggregate == "sum":
        return _shown(name, aggregate, sum(values))
    if not values:
        return None
    if aggregate in ("min", "max"):
        return _shown(name, aggregate, values[0] if aggregate == "min" else values[-1])
    if aggregate == "mean":
        return _shown(name, aggregate, Fraction(sum(values), len(values)))
    place = Fraction(int(aggregate[1:]), 100) * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return _shown(name, aggregate, values[below] + (place - below) * (values[above] - values[below]))


def _shown(name: str, aggregate: str, value: Any) -> Any:
    if name in SECONDS:
        return round(value) / 1000
    if name == "cost":
        return Decimal(round(value)) / 1_000_000
    if name in FLAGS and aggregate == "mean":
        return float(round(value * 100, 2))
    return float(round(value, 2)) if isinstance(value, Fraction) else value


def recount(document: dict[str, Any], project_ids: list[int], start: datetime, end: datetime, zone: ZoneInfo) -> Any:
    """(figures by bucket and words, total, n), as ``document`` asks."""
    on = document["time"]["on"]
    size = document["time"].get("bucket")
    facts = [
        fact
        for fact in FACTS[document["facts"]](project_ids)
        if fact["moments"][on] is not None
        and start <= fact["moments"][on] < end
        and applies(document.get("where"), fact)
    ]
    groups: dict[tuple, list[Fact]] = defaultdict(list)
    for fact in facts:
        when = (bucket(fact["moments"][on], size, zone),) if size else ()
        groups[(*when, *(fact["words"][name] for name in document["by"]))].append(fact)

    def figures(those: list[Fact]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for each in document["measures"]:
            name, aggregate = each.get("name"), each["aggregate"]
            row[aggregate if name is None else f"{name}_{aggregate}"] = figure(name, aggregate, those)
            if name is not None and aggregate != "count":
                row[f"{name}_n"] = figure(name, "count", those)
        return row

    return {key: figures(those) for key, those in groups.items()}, figures(facts), len(facts)
