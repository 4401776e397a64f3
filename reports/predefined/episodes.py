"""Episodes as the reports about flow count them: which ones, by which of their times, and what no figure can hold.

An episode counts in a period by its entry or its end, and neither moves once it has happened: a task that is edited,
reopened or deleted later leaves the period's figures as they are. Times that are not known are in no period.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from reports.engines import summarise
from reports.measures import Aggregate, Count, Group, Summary
from reports.periods import Bucket, Period
from reports.predefined import completions
from reports.predefined.completions import all_of
from reports.scopes import Scope
from reports.sql import BucketIndex, Milliseconds
from reports.vocabulary.episodes import END_KNOWN, ENTRY_KNOWN
from tasks.models import Episode, EpisodeEnd

#: Ends other than a completion.
OTHERWISE = (EpisodeEnd.FAILED, EpisodeEnd.CANCELLED, EpisodeEnd.DELETED)


def within(field: str, period: Period) -> Q:
    """Whether the time ``field`` lies in ``period``."""
    return Q(**{f"{field}__gte": period.start, f"{field}__lt": period.end})


def completed(scope: Scope, period: Period) -> "QuerySet[Episode]":
    """Each episode that was completed in the period, here or elsewhere, with its durations."""
    return with_durations(completions.completed(scope, period))


def ended_otherwise(scope: Scope, period: Period) -> "QuerySet[Episode]":
    """Each episode that failed, or was cancelled or deleted, in the period."""
    return all_of(scope).filter(END_KNOWN, within("ended_at", period), end__in=OTHERWISE)


def with_durations(rows: "QuerySet[Episode]") -> "QuerySet[Episode]":
    """``rows`` with durations in whole milliseconds, NULL if one of the times is not known.

    ``lead``: entry → end. ``queue``: entry → first start. ``cycle``: first start → end.
    """
    return rows.annotate(
        lead=_if(ENTRY_KNOWN, Milliseconds("entered_at", "ended_at")),
        queue=_if(ENTRY_KNOWN, Milliseconds("entered_at", "started_at")),
        cycle=Milliseconds("started_at", "ended_at"),
    )


def _if(condition: Q, value: Combinable) -> Case:
    return Case(When(condition, then=value), output_field=BigIntegerField())


def one_if(condition: Q) -> Case:
    """A column that ``Count`` counts where ``condition`` holds."""
    return _if(condition, Value(1))


def milliseconds_after(start: datetime, field: str) -> Milliseconds:
    """From ``start`` to the time ``field``."""
    return Milliseconds(Value(start), F(field))


def by_bucket(
    rows: QuerySet, field: str, period: Period, measures: Mapping[str, Aggregate] | None = None, **columns: Combinable
) -> Summary:
    """``measures`` (by default ``n``) of ``rows`` with ``columns``, by the bucket of the time ``field``."""
    rows = rows.annotate(position=BucketIndex(field, period.edges), **columns)
    return summarise(rows, by=["position"], measures=measures or {"n": Count()})


def at(summary: Summary, position: int) -> dict[str, Any]:
    """The measures of the bucket at ``position``; of one without rows, empty."""
    return dict(summary.groups.get((position,), {}))


def count(rows: QuerySet) -> int:
    """How many ``rows`` there are."""
    return int(summarise(rows, measures={"n": Count()}).total["n"] or 0)


def counts(rows: QuerySet, *by: str) -> dict[Group, int]:
    """How many ``rows`` there are, ``by`` columns."""
    groups = summarise(rows, by=by, measures={"n": Count()}).groups
    return {group: int(values["n"] or 0) for group, values in groups.items()}


def buckets_so_far(period: Period, now: datetime) -> list[Bucket]:
    """The period's buckets that have begun: nobody knows what will stand in a later one."""
    return [bucket for bucket in period.buckets if bucket.start < now]


def as_of(period: Period, now: datetime) -> datetime:
    """The moment at which a report describes what is open: the end of the period, or now while that lies ahead.

    What happens just now has happened, whereas what happens at the end of a period is no longer in it.
    """
    return max(period.start, min(period.end, now + timedelta(microseconds=1)))


def goes_on_at(moment: datetime) -> Q:
    """Whether an episode has not ended by ``moment``; what ends at it has not, as in periods."""
    # Two conditions that each fit the index over (project, end, ended_at).
    return Q(end="") | Q(end__in=[EpisodeEnd.COMPLETED, *OTHERWISE], ended_at__gte=moment)
