"""Periods and buckets, found by looking at every quarter of an hour or minute, or at every midnight."""

import calendar
from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MONTHS = {"month": 1, "quarter": 3, "year": 12}


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


class Span:
    """A period between two instants, and where its buckets are cut."""

    def __init__(self, start: datetime, end: datetime, cuts: list[datetime]) -> None:
        self.start, self.end, self.cuts = start, end, cuts

    def place(self, moment: datetime) -> int | None:
        """The bucket that a time falls into; None: outside the period."""
        return bisect_right(self.cuts, moment) if self.start <= moment < self.end else None

    @property
    def starts(self) -> list[datetime]:
        return [self.start, *self.cuts]


def span_of(period: dict[str, Any], size: str, zone: ZoneInfo, now: datetime) -> Span:
    """The period that a definition gives."""
    if "last" in period:
        start, end = _last(period["last"], period["unit"], zone, now)
    else:
        start, end = (_instant(period[key], zone) for key in ("from", "to"))
    return Span(start, end, _cuts(start, end, size, zone))


def _instant(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _last(many: int, unit: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    local = now.astimezone(zone)
    if unit in ("minute", "hour"):
        step = timedelta(**{f"{unit}s": 1})
        end = now
        while not _cuts_here(end, unit, zone) or end <= now:
            end = end.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return end - many * step, end
    today = local.date()
    first = _first(today, unit)
    if unit in MONTHS:
        for _ in range((many - 1) * MONTHS[unit]):
            first = (first - timedelta(days=1)).replace(day=1)
    else:
        first -= timedelta(days=(many - 1) * (7 if unit == "week" else 1))
    return midnight(first, zone), midnight(today + timedelta(days=1), zone)


def _first(day: date, size: str) -> date:
    """The first day of the bucket of ``day``."""
    while not _begins(day, size):
        day -= timedelta(days=1)
    return day


def _begins(day: date, size: str) -> bool:
    match size:
        case "week":
            return calendar.day_name[day.weekday()] == "Monday"
        case "month":
            return day.day == 1
        case "quarter":
            return (day.day, day.month) in ((1, 1), (1, 4), (1, 7), (1, 10))
        case "year":
            return (day.day, day.month) == (1, 1)
    return True


def _cuts_here(moment: datetime, size: str, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    return not local.second and not local.microsecond and (size == "minute" or local.minute == 0)


def _cuts(start: datetime, end: datetime, size: str, zone: ZoneInfo) -> list[datetime]:
    if size in ("minute", "hour"):
        moment = start.replace(second=0, microsecond=0)
        each = []
        while moment < end:
            if start < moment and _cuts_here(moment, size, zone):
                each.append(moment)
            moment += timedelta(minutes=1)
        return each
    day, each = start.astimezone(zone).date(), []
    while (moment := midnight(day, zone)) < end:
        if moment > start and _begins(day, size):
            each.append(moment)
        day += timedelta(days=1)
    return each


def before(span: Span, period: dict[str, Any], zone: ZoneInfo) -> Span:
    """The span that ``span`` is compared with: as much earlier as it is long, by the calendar where it is of days."""
    months, days, elapsed = _length(span, period, zone)

    def back(moment: datetime) -> datetime:
        if elapsed:
            return moment - elapsed
        local = moment.astimezone(zone)
        year, month = local.year, local.month - months
        while month < 1:
            year, month = year - 1, month + 12
        if local.day <= calendar.monthrange(year, month)[1]:
            day = date(year, month, local.day)
        else:
            # A day that the month lacks: its end.
            day = date(year, month, calendar.monthrange(year, month)[1]) + timedelta(days=1)
        return datetime.combine(day - timedelta(days=days), local.time(), tzinfo=zone).astimezone(UTC)

    end = back(span.end) if "last" in period else span.start
    return Span(back(span.start), end, [min(end, back(cut)) for cut in span.cuts])


def _length(span: Span, period: dict[str, Any], zone: ZoneInfo) -> tuple[int, int, timedelta]:
    """In months, days or as time elapsed: two of them are nothing."""
    none = timedelta()
    if "last" in period:
        many, unit = period["last"], period["unit"]
        if unit in MONTHS:
            return many * MONTHS[unit], 0, none
        if unit in ("minute", "hour"):
            return 0, 0, many * timedelta(**{f"{unit}s": 1})
        return 0, many * (7 if unit == "week" else 1), none
    first, last = (moment.astimezone(zone) for moment in (span.start, span.end))
    if any(midnight(each.date(), zone) != each for each in (first, last)):
        return 0, 0, span.end - span.start
    if first.day == last.day == 1:
        return (last.year - first.year) * 12 + last.month - first.month, 0, none
    return 0, (last.date() - first.date()).days, none
