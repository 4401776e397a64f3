"""Runs as the reports about agents count them: intervals *in progress* that happened here.

A run keeps its outcome, code, version and usage, so that what ended in a period never changes. What a file tells of
work elsewhere is no run.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from django.db.models import Case, F, Q, QuerySet, Value, When

from reports.could_work import Span
from reports.limits import check_time
from reports.periods import Period
from reports.report import Row
from reports.scopes import Scope
from reports.sql import Milliseconds
from tasks.models import StatusInterval
from tasks.transitions import Status

_MILLISECOND: Final = timedelta(milliseconds=1)


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


def milliseconds_within(
    scope: Scope, spans: Mapping[int, Sequence[Span]], start: datetime, end: datetime
) -> dict[int, int]:
    """Per agent of ``spans`` (by id): how long its runs were active within its spans, which lie between the two times.

    Each run is rounded for itself, as in ``active_in``: it is never active within them for longer than at all.
    """
    before = {agent: _time_before(own) for agent, own in spans.items()}
    within = dict.fromkeys(spans, 0)
    rows = active_in(scope, start, end).filter(agent__in=list(spans))
    for agent, began, ended in rows.values_list("agent_id", "began_at", "ended_at").iterator(chunk_size=5_000):
        check_time()
        inside = before[agent](ended or end) - before[agent](began)
        within[agent] += (inside + _MILLISECOND / 2) // _MILLISECOND
    return within


def _time_before(spans: Sequence[Span]) -> Callable[[datetime], timedelta]:
    """How much of ``spans`` lies before a moment."""
    starts = [span.start for span in spans]
    earlier = list(accumulate((span.end - span.start for span in spans), initial=timedelta()))

    def before(moment: datetime) -> timedelta:
        place = bisect_right(starts, moment) - 1
        if place < 0:
            return timedelta()
        return earlier[place] + min(moment, spans[place].end) - starts[place]

    return before


def milliseconds(span: Span) -> int:
    return round(span.seconds * 1000)
