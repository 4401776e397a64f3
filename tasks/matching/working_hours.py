"""When a person works: ``Mon-Thu 09:00-17:00; Fri 09:00-13:00``, parsed and counted in. Imports nothing of ours."""

import functools
import itertools
import re
from collections.abc import Iterator
from datetime import date as date_of_day
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
#: Working time is counted no further ahead than this.
HORIZON_DAYS = 60


class Span(NamedTuple):
    """From ``start`` to ``end`` of one weekday (0: Monday), in minutes after midnight."""

    day: int
    start: int
    end: int


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Span, ...]:
    """The spans of a week, in order; none for an empty text, which means always. Raises ``ValueError``."""
    spans = []
    for part in filter(None, (part.strip().lower() for part in text.split(";"))):
        match = _SPAN.fullmatch(part)
        if not match or match[1] not in DAYS or (match[2] or match[1]) not in DAYS:
            raise ValueError(f"{part!r} is not a working time; write it as Mon-Fri 09:00-17:00.")
        first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        start, end = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
        if not 0 <= start < end <= 24 * 60 or int(match[4]) > 59 or int(match[6]) > 59:
            raise ValueError(f"{part!r} must end after it starts, on the same day.")
        spans += [Span((first + step) % 7, start, end) for step in range((last - first) % 7 + 1)]
    spans.sort()
    for earlier, later in itertools.pairwise(spans):
        if earlier.day == later.day and later.start < earlier.end:
            raise ValueError(f"{DAYS[earlier.day].capitalize()} has overlapping working times.")
    return tuple(spans)


@functools.lru_cache(maxsize=1024)
def zone_named(name: str, *, default: str) -> ZoneInfo:
    """The time zone ``name``, or ``default`` if it is empty. Raises ``ValueError``."""
    try:
        return ZoneInfo(name or default)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"There is no time zone {name!r}; write it as Europe/Vienna.") from None


def is_working(spans: tuple[Span, ...], zone: ZoneInfo, at: datetime) -> bool:
    """Whether ``at`` lies within the working hours."""
    if not spans:
        return True
    local = at.astimezone(zone)
    minutes = local.hour * 60 + local.minute
    return any(span.day == local.weekday() and span.start <= minutes < span.end for span in spans)


def after_working(spans: tuple[Span, ...], zone: ZoneInfo, at: datetime, seconds: float) -> datetime:
    """The moment when ``seconds`` of working time have passed since ``at``; at most ``HORIZON_DAYS`` ahead."""
    left = timedelta(seconds=seconds)
    if not spans:
        return at + left
    midnight = at.astimezone(zone).date()
    for ahead in range(HORIZON_DAYS):
        date = midnight + timedelta(days=ahead)
        for span in spans:
            if span.day != date.weekday():
                continue
            # Wall clock first, then UTC, so that a day on which the clocks change has its real hours.
            begins = _moment(date, span.start, zone, at)
            ends = _moment(date, span.end, zone, at)
            begins = max(begins, at)
            if ends <= begins:
                continue
            if begins + left <= ends:
                return begins + left
            left -= ends - begins
    return at + timedelta(days=HORIZON_DAYS)


def working_times(
    spans: tuple[Span, ...], zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The times between ``start`` and ``end`` that lie within the working hours, in order."""
    if not spans:
        if start < end:
            yield start, end
        return
    date, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while date <= last:
        for span in spans:
            if span.day == date.weekday():
                begins = max(_moment(date, span.start, zone, start), start)
                ends = min(_moment(date, span.end, zone, start), end)
                if begins < ends:
                    yield begins, ends
        date += timedelta(days=1)


def _moment(date: date_of_day, minutes: int, zone: ZoneInfo, like: datetime) -> datetime:
    days, minutes = divmod(minutes, 24 * 60)
    wall = datetime.combine(date, time(minutes // 60, minutes % 60), tzinfo=zone)
    return (wall + timedelta(days=days)).astimezone(like.tzinfo)
