"""Periods split into buckets at local midnight, so that a day on which the clocks change has 23 or 25 hours.

The boundaries are computed here, once, and passed to the database as instants: SQLite has no time zones, and this way
both databases count by exactly the same boundaries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

MAX_BUCKETS = 1_000


class BucketSize(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def first_day(self, day: date) -> date:
        """The day on which the bucket of ``day`` starts: the day itself, its Monday, or the first of its month."""
        match self:
            case BucketSize.DAY:
                return day
            case BucketSize.WEEK:
                return day - timedelta(days=day.weekday())
            case BucketSize.MONTH:
                return day.replace(day=1)

    def next_day(self, first: date) -> date:
        """The first day of the bucket after the one that starts on ``first``."""
        match self:
            case BucketSize.DAY:
                return first + timedelta(days=1)
            case BucketSize.WEEK:
                return first + timedelta(days=7)
            case BucketSize.MONTH:
                return (first + timedelta(days=31)).replace(day=1)


#: How many buckets a period has by default: a month of days, a quarter of weeks, a year of months.
DEFAULT_LENGTH = {BucketSize.DAY: 30, BucketSize.WEEK: 12, BucketSize.MONTH: 12}


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which ``day`` starts in ``zone``: the first of two midnights, or the jump over a missing one."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A part of a period. ``first_day`` names it; ``start`` and ``end`` (excluded) are clipped to the period."""

    first_day: date
    start: datetime
    end: datetime
    is_partial: bool


@dataclass(frozen=True)
class Period:
    """From ``start`` up to, but not including, ``end`` (aware, UTC), in buckets of ``size`` by the days of ``zone``."""

    start: datetime
    end: datetime
    size: BucketSize
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError("A period must end after it starts.")

    def _days(self) -> Iterator[date]:
        day = self.size.first_day(self.start.astimezone(self.zone).date())
        while midnight(day, self.zone) < self.end:
            yield day
            day = self.size.next_day(day)

    def count_at_most(self, limit: int) -> bool:
        """Whether the period has no more than ``limit`` buckets; counts no further than that."""
        return all(index < limit for index, _ in enumerate(self._days()))

    @cached_property
    def buckets(self) -> list[Bucket]:
        """All buckets in order, empty or not; the first and last may be partial."""
        buckets = []
        for day in self._days():
            whole_start, whole_end = midnight(day, self.zone), midnight(self.size.next_day(day), self.zone)
            start, end = max(whole_start, self.start), min(whole_end, self.end)
            buckets.append(Bucket(day, start, end, is_partial=(start, end) != (whole_start, whole_end)))
        return buckets

    @property
    def edges(self) -> list[datetime]:
        """Where each bucket after the first one starts: ``len(buckets) - 1`` instants."""
        return [bucket.start for bucket in self.buckets[1:]]


def default_start(end: datetime, size: BucketSize, zone: ZoneInfo) -> datetime:
    """The start of a period that ends at ``end`` and spans ``DEFAULT_LENGTH`` buckets, including the last one."""
    day = size.first_day((end - timedelta(microseconds=1)).astimezone(zone).date())
    for _ in range(DEFAULT_LENGTH[size] - 1):
        day = size.first_day(day - timedelta(days=1))
    return midnight(day, zone)
