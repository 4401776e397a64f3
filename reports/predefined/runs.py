"""Runs as the reports about agents count them: intervals *in progress* that happened here.

A run keeps its outcome, code, version and usage, so that what ended in a period never changes. What a file tells of
work elsewhere is no run.
"""

from datetime import datetime
from typing import Any, Final

from django.db.models import BigIntegerField, Case, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from reports.could_work import Span
from reports.periods import Period
from reports.report import Row
from reports.scopes import Scope
from reports.sql import BucketIndex, BucketStart, Milliseconds
from tasks.models import StatusInterval
from tasks.transitions import Status

#: How many boundaries one query compares with: each is spelled out on SQLite.
_MOST_EDGES: Final = 400


def runs(scope: Scope) -> "QuerySet[StatusInterval]":
    """Every run of the scope, active ones too."""
    rows = scope.of_project(StatusInterval.objects.all()).order_by()
    return rows.filter(status=Status.IN_PROGRESS, run_number__isnull=False)


def ended(scope: Scope, period: Period) -> "QuerySet[StatusInterval]":
    """Each run that ended in the period."""
    return runs(scope).filter(ended_at__gte=period.start, ended_at__lt=period.end)


def active_in(scope: Scope, start: datetime, end: datetime) -> "QuerySet[StatusInterval]":
    """Each run that was active at some time between the two; with ``worked``, its milliseconds between them."""
    rows = runs(scope).filter(Q(ended_at__isnull=True) | Q(ended_at__gt=start), began_at__lt=end)
    return rows.annotate(
        worked=Milliseconds(
            Case(When(began_at__lt=start, then=Value(start)), default=F("began_at")),
            Case(When(ended_at__lt=end, then=F("ended_at")), default=Value(end)),
        )
    )


def by_agent(rows: QuerySet, **aggregates: Any) -> dict[int | None, Row]:
    """``aggregates`` of ``rows`` by the id of their agent."""
    grouped = rows.order_by().values("agent_id").annotate(**aggregates)
    return {row.pop("agent_id"): row for row in grouped}


def until(period: Period, now: datetime) -> datetime:
    """Up to when work in the period is known: its end, or now while that lies ahead."""
    return max(period.start, min(period.end, now))


def milliseconds_within(rows: "QuerySet[StatusInterval]", spans: tuple[Span, ...]) -> int:
    """How long the runs ``rows`` were active within ``spans``, added up.

    Of each run it is ``G(end) − G(begin)``, where ``G(t)`` is how much of the spans lies before ``t``; so the database
    only counts and adds up the ends and beginnings by the span that they fall into.
    """
    total = 0
    for first in range(0, len(spans), _MOST_EDGES // 2):
        part = spans[first : first + _MOST_EDGES // 2]
        start, end = part[0].start, part[-1].end
        near = rows.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=start), began_at__lt=end)
        ends = Coalesce(F("ended_at"), Value(end))
        total += _before(near, ends, part) - _before(near, F("began_at"), part)
    return total


def _before(rows: "QuerySet[StatusInterval]", moment: Any, spans: tuple[Span, ...]) -> int:
    """``G(moment)`` of each of ``rows``, added up, in milliseconds."""
    edges, gone, sums = [], 0, [0]
    for span in spans:
        edges += [span.start, span.end]
        sums += [gone, gone := gone + milliseconds(span)]
    counted = rows.annotate(moment=moment).annotate(position=BucketIndex(F("moment"), edges))
    since = Case(When(position__gt=0, then=Milliseconds(BucketStart(F("moment"), edges), F("moment"))),
                 output_field=BigIntegerField())  # fmt: skip
    total = 0
    for position, n, into in counted.values_list("position").annotate(n=Count("pk"), into=Sum(since)):
        # Odd positions lie within a span, even ones after one.
        total += n * sums[position] + (int(into) if position % 2 else 0)
    return total


def milliseconds(span: Span) -> int:
    return round(span.seconds * 1000)
