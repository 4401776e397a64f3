"""Periods split into buckets by the clocks of a zone, so that a day on which the clocks change has 23 or 25 hours.

The boundaries are computed here, once, and passed to the database as instants: SQLite has no time zones, and this way
both databases count by exactly the same boundaries.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

MAX_BUCKETS = 1_000
#: A bucket that is chosen by the length of the period.
AUTO = "auto"
#: Automatic buckets are the smallest of which a period has no more than this: an hour of minutes, two months of days.
AUTO_BUCKETS = 62


class BucketSize(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def is_of_days(self) -> bool:
        """Whether its buckets are whole days: they begin at midnight and are named by their first day."""
        return self not in ELAPSED

    def first_day(self, day: date) -> date:
        """The day on which the bucket of ``day`` starts: the day itself, its Monday, or the first of its month, …"""
        match self:
            case BucketSize.WEEK:
                return day - timedelta(days=day.weekday())
            case BucketSize.MONTH:
                return day.replace(day=1)
            case BucketSize.QUARTER:
                return day.replace(month=day.month - (day.month - 1) % 3, day=1)
            case BucketSize.YEAR:
                return day.replace(month=1, day=1)
        return day

    def next_day(self, first: date) -> date:
        """The first day of the bucket after the one that starts on ``first``."""
        if self in MONTHS:
            return months_later(first, MONTHS[self])
        return first + timedelta(days=7 if self is BucketSize.WEEK else 1)


#: Buckets shorter than a day last as long as this, unless the clocks change within them.
ELAPSED = {BucketSize.MINUTE: timedelta(minutes=1), BucketSize.HOUR: timedelta(hours=1)}
MONTHS = {BucketSize.MONTH: 1, BucketSize.QUARTER: 3, BucketSize.YEAR: 12}
#: How many buckets a period has by default: an hour of minutes, a month of days, a quarter of weeks, a year of months.
DEFAULT_LENGTH = {
    BucketSize.MINUTE: 60,
    BucketSize.HOUR: 24,
    BucketSize.DAY: 30,
    BucketSize.WEEK: 12,
    BucketSize.MONTH: 12,
    BucketSize.QUARTER: 8,
    BucketSize.YEAR: 5,
}


def months_later(day: date, months: int) -> date:
    """The same day of the month, ``months`` later (or earlier); the last of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which ``day`` starts in ``zone``: the first of two midnights, or the jump over a missing one."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _past(moment: datetime, size: BucketSize, zone: ZoneInfo) -> timedelta:
    """How far ``moment`` is past the last whole hour or minute of the clocks of ``zone``."""
    local = moment.astimezone(zone)
    minutes = local.minute if size is BucketSize.HOUR else 0
    return timedelta(minutes=minutes, seconds=local.second, microseconds=local.microsecond)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A part of a period. ``start`` and ``end`` (excluded) are clipped to the period.

    ``name`` is its first day, or the local time at which a bucket shorter than a day begins.
    """

    name: date
    start: datetime
    end: datetime
    is_partial: bool


@dataclass(frozen=True)
class Period:
    """From ``start`` up to, but not including, ``end`` (aware, UTC), in buckets of ``size`` by the clocks of ``zone``.

    ``cuts`` replace the boundaries between the buckets of ``size``: those of a period that is compared with another.
    """

    start: datetime
    end: datetime
    size: BucketSize
    zone: ZoneInfo
    cuts: tuple[datetime, ...] | None = None

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError("A period must end after it starts.")

    def _whole(self) -> Iterator[tuple[date, datetime, datetime]]:
        """Name, start and end of each bucket, not clipped."""
        if (length := ELAPSED.get(self.size)) is not None:
            start = self.start - _past(self.start, self.size, self.zone)
            while start < self.end:
                # Clocks that change by less than an hour leave a bucket that ends with the hour.
                end = start + length - _past(start, self.size, self.zone)
                yield start.astimezone(self.zone), start, end
                start = end
            return
        day = self.size.first_day(self.start.astimezone(self.zone).date())
        start = midnight(day, self.zone)
        while start < self.end:
            following = self.size.next_day(day)
            end = midnight(following, self.zone)
            yield day, start, end
            day, start = following, end

    def count_at_most(self, limit: int) -> bool:
        """Whether the period has no more than ``limit`` buckets; counts no further than that."""
        return all(index < limit for index, _ in enumerate(self._whole()))

    @cached_property
    def buckets(self) -> list[Bucket]:
        """All buckets in order, empty or not; the first and last may be partial."""
        buckets = []
        for name, whole_start, whole_end in self._whole():
            start, end = max(whole_start, self.start), min(whole_end, self.end)
            buckets.append(Bucket(name, start, end, is_partial=(start, end) != (whole_start, whole_end)))
        return buckets

    @property
    def edges(self) -> list[datetime]:
        """Where each bucket after the first one starts: ``len(buckets) - 1`` instants."""
        return list(self.cuts) if self.cuts is not None else [bucket.start for bucket in self.buckets[1:]]

    def previous(self, length: tuple[int, BucketSize] | None = None) -> "Period":
        """The period before this one, in as many buckets, each as much earlier as the period is.

        ``length``: how far that is. Without it, as many months as this one has if it is whole months, else as many
        days, else as much time.
        """
        back = _Back.over(self, length)
        start, end = (back.from_(moment, self.zone) for moment in (self.start, self.end))
        if length is None:
            end = self.start
        cuts = tuple(min(end, back.from_(edge, self.zone)) for edge in self.edges)
        return Period(start, end, self.size, self.zone, cuts)


@dataclass(frozen=True, slots=True)
class _Back:
    """How far back: by the calendar, so that noon stays noon, or by the time elapsed."""

    months: int = 0
    days: int = 0
    elapsed: timedelta = timedelta()

    @classmethod
    def over(cls, period: Period, length: tuple[int, BucketSize] | None) -> "_Back":
        if length is not None:
            number, size = length
            if size in MONTHS:
                return cls(months=number * MONTHS[size])
            if size in ELAPSED:
                return cls(elapsed=number * ELAPSED[size])
            return cls(days=number * (7 if size is BucketSize.WEEK else 1))
        first, last = (moment.astimezone(period.zone).date() for moment in (period.start, period.end))
        if (midnight(first, period.zone), midnight(last, period.zone)) != (period.start, period.end):
            return cls(elapsed=period.end - period.start)
        if first.day == last.day == 1:
            return cls(months=(last.year - first.year) * 12 + last.month - first.month)
        return cls(days=(last - first).days)

    def from_(self, moment: datetime, zone: ZoneInfo) -> datetime:
        if self.elapsed:
            return moment - self.elapsed
        local = moment.astimezone(zone)
        day = months_later(local.date(), -self.months)
        if day.day < local.day:
            # The 31st has no counterpart in a month of 30 days: nothing lies between its start and its end.
            day += timedelta(days=1)
        day -= timedelta(days=self.days)
        return datetime.combine(day, local.time(), tzinfo=zone).astimezone(UTC)


def start_of_last(number: int, size: BucketSize, end: datetime, zone: ZoneInfo) -> datetime:
    """The start of a period that ends at ``end`` and spans ``number`` buckets, including the last one."""
    last = end - timedelta(microseconds=1)
    if (length := ELAPSED.get(size)) is not None:
        return last - _past(last, size, zone) - (number - 1) * length
    day = size.first_day(last.astimezone(zone).date())
    if size in MONTHS:
        day = months_later(day, -(number - 1) * MONTHS[size])
    else:
        day -= (number - 1) * timedelta(days=7 if size is BucketSize.WEEK else 1)
    return midnight(day, zone)


def default_start(end: datetime, size: BucketSize, zone: ZoneInfo) -> datetime:
    """The start of a period that ends at ``end`` and spans ``DEFAULT_LENGTH`` buckets, including the last one."""
    return start_of_last(DEFAULT_LENGTH[size], size, end, zone)


def end_of_now(now: datetime, size: BucketSize, zone: ZoneInfo) -> datetime:
    """Where a period ends that goes up to now: the end of today, or of this hour or minute."""
    if (length := ELAPSED.get(size)) is not None:
        return now - _past(now, size, zone) + length
    return midnight(now.astimezone(zone).date() + timedelta(days=1), zone)


def automatic(start: datetime, end: datetime, zone: ZoneInfo) -> BucketSize:
    """The smallest size of which the period has no more than ``AUTO_BUCKETS`` buckets; years, if all have more."""
    fitting = (size for size in BucketSize if Period(start, end, size, zone).count_at_most(AUTO_BUCKETS))
    return next(fitting, BucketSize.YEAR)
