"""Times of one engine's answers in this process beside ClickHouse's to the same questions, as JSON.

Needs ``DATABASE_URL`` with ``mixed`` data of ``bench.dataset``. ClickHouse is asked twice: once it reads the facts from
the database, once from a copy of its own, a table for each fact with a column for each moment, dimension and measure.
Raises ``Differs`` if an answer is not the same.
"""

import argparse
import json
import os
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Case, DateTimeField, Value, When

from bench.clickhouse.beside import Beside
from bench.clickhouse.engine import ClickHouse, facts_of
from reports.engines import ENGINES, source_of
from reports.engines.source import Counts, Source
from reports.measures import Aggregate, Count
from reports.periods import BucketSize, Period
from reports.scopes import scope_of
from reports.sql import BucketIndex, Milliseconds
from reports.vocabulary import FACTS
from reports.vocabulary.declaration import Fact, Moment, aggregate_of
from tasks import clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = 400
#: Fact, moment, dimensions beside the week, and a measure with its aggregates.
QUESTIONS = (
    ("episodes", "completed", ("agent",), "cycle", ("count", "p85")),
    ("episodes", "completed", (), "lead", ("count", "mean", "p50", "p85", "p95")),
    ("episodes", "entered", ("project", "priority"), "runs", ("count", "sum")),
    ("runs", "ended", ("agent", "version", "outcome"), "cost", ("count", "sum")),
    ("intervals", "ended", ("status", "reason"), "duration", ("count", "sum", "mean", "p85")),
)


class Asked:
    """A question, as the sources of the database's engine and of the copy."""

    def __init__(self, question: tuple, period: Period, now: datetime) -> None:
        name, moment, self.by, measure, aggregates = question
        self.fact, self.period, self.now = FACTS[name], period, now
        self.moment = self.fact.moment(moment)
        by = ", ".join([f"week of {moment}", *self.by])
        self.words = f"{name} by {by}: {', '.join(aggregates)} of {measure}"
        self.measure = measure
        self.aggregates: dict[str, Aggregate] = {each: aggregate_of(each, "m") for each in aggregates} | {"n": Count()}

    def source(self, rows: Any) -> Source:
        field = self.moment.field
        within = {f"{field}__gte": self.period.start, f"{field}__lt": self.period.end}
        rows = rows.filter(self.moment.known, **within).annotate(
            m=self.fact.measure(self.measure).expression(self.now),
            g_bucket=BucketIndex(field, self.period.edges),
            **{f"g_{name}": self.fact.dimension(name).expression for name in self.by},
        )
        return source_of(rows, by=["g_bucket", *(f"g_{name}" for name in self.by)], measures=self.aggregates)


class Copy:
    """All facts of a kind in a table of ClickHouse."""

    def __init__(self, clickhouse: ClickHouse, fact: Fact, rows: Any, now: datetime) -> None:
        self.name, self.clickhouse = f"copied_{fact.name}", clickhouse
        self.by = [each.name for each in fact.dimensions if not each.is_many]
        numbers = {f"at_{each.name}": _milliseconds(each) for each in fact.moments}
        numbers |= {f"m_{each.name}": each.expression(now) for each in fact.measures}
        rows = rows.annotate(**numbers, **{f"g_{name}": fact.dimension(name).expression for name in self.by})
        counted: dict[str, Aggregate] = {name: Count(name) for name in numbers}
        self.source = source_of(rows, by=[f"g_{name}" for name in self.by], measures=counted)
        with connection.cursor() as cursor:
            facts = facts_of(cursor, self.source)
        clickhouse.rows(f"CREATE TABLE {self.name} ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM {facts}")

    def count(self, asked: Asked, source: Source) -> Counts:
        """The answer from the copy; the last column of ``source`` is the measured one."""
        at, measured = (self.source.alias[name] for name in (f"at_{asked.moment.name}", f"m_{asked.measure}"))
        edges = [_in_milliseconds(each) for each in (asked.period.start, *asked.period.edges, asked.period.end)]
        names = [f"g{self.by.index(name)}" for name in asked.by]
        columns = [f"roundDown({at}, {sorted(set(edges))}) AS edge", *names, f"{measured} AS m"]
        within = f"{at} >= {edges[0]} AND {at} < {edges[-1]}"
        table = f"(SELECT {', '.join(columns)} FROM {self.name} WHERE {within})"
        groups = ["edge", *names]
        counts = self.clickhouse.count_from(replace(source, groups=groups, alias={"m": "m"}), table)
        inner = [_in_milliseconds(edge) for edge in asked.period.edges]
        return Counts(
            {(bisect_right(inner, edge), *words): each for (edge, *words), each in counts.groups.items()}, counts.total
        )


def _milliseconds(moment: Moment) -> Any:
    since = Milliseconds(Value(EPOCH, output_field=DateTimeField()), moment.field)
    return Case(When(moment.known, then=since), output_field=Milliseconds.output_field) if moment.known else since


def _in_milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _timed(work: Callable[[], Counts]) -> tuple[float, Counts]:
    began = time.perf_counter()
    counts = work()
    return time.perf_counter() - began, counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    now = clock.now().replace(microsecond=0)
    midnight = now.replace(hour=0, minute=0, second=0)
    period = Period(midnight - timedelta(days=DAYS), midnight + timedelta(days=1), BucketSize.WEEK, ZoneInfo("UTC"))
    scope = scope_of(User.objects.get(username="root"))
    own = ENGINES[connection.vendor]
    measured: dict[str, Any] = {"copying": {}, "answers": {}}
    with ClickHouse() as clickhouse, connection.cursor() as cursor:
        beside, copies = Beside(own, clickhouse.count), {}
        for name in dict.fromkeys(question[0] for question in QUESTIONS):
            began = time.perf_counter()
            copies[name] = Copy(clickhouse, FACTS[name], FACTS[name].rows(scope), now)
            ((rows,),) = clickhouse.rows(f"SELECT toInt32(count()) FROM {copies[name].name}")
            measured["copying"][name] = {"seconds": time.perf_counter() - began, "rows": rows}
        for question in QUESTIONS:
            asked = Asked(question, period, now)
            copy, source = copies[question[0]], asked.source(FACTS[question[0]].rows(scope))
            ways: dict[str, Callable[[], Counts]] = {
                "own": lambda source=source: own(cursor, source),
                "reading": lambda source=source: clickhouse.count(cursor, source),
                "copied": lambda copy=copy, asked=asked, source=source: copy.count(asked, source),
            }
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(options.times):
                counts = {}
                for name, way in ways.items():
                    seconds, counts[name] = _timed(way)
                    taken[name].append(seconds)
                for name in ("reading", "copied"):
                    beside.compare(source, counts["own"], counts[name])
            measured["answers"][asked.words] = taken | {"groups": len(counts["own"].groups)}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
