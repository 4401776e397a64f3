"""When somebody wants to be left alone, and when their digest is due: local times, whatever the clocks do.

A local time that the clocks skip comes as much later as they jump; one that comes twice is a time twice.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo


def quiet_until(at: datetime, zone: tzinfo, start: time | None, end: time | None) -> datetime | None:
    """The end of the quiet hours from ``start`` to ``end``, local times, that ``at`` lies in; None outside of them.

    They may cross midnight; from a time to the same time is the whole day.
    """
    if start is None or end is None:
        return None
    local = at.astimezone(zone)
    now = local.time()
    if start < end:
        if not start <= now < end:
            return None
    elif end <= now < start:
        return None
    return _next(at, zone, end)


def next_daily(at: datetime, zone: tzinfo, hour: time) -> datetime:
    """The next moment after ``at`` at which it is ``hour`` in ``zone``; on a day with two of them, the first."""
    day = at.astimezone(zone).date()
    for ahead in range(3):
        moment = _moment(datetime.combine(day + timedelta(days=ahead), hour), zone)
        if moment > at:
            return moment
    raise AssertionError("No day is longer than that.")


def _next(at: datetime, zone: tzinfo, hour: time) -> datetime:
    """The next moment after ``at`` at which it is ``hour`` in ``zone``, also the second on a day with two of them."""
    day = at.astimezone(zone).date()
    local = [datetime.combine(day + timedelta(days=ahead), hour) for ahead in range(3)]
    first = [_moment(time_of_day, zone) for time_of_day in local]
    again = [_moment(time_of_day, zone, fold=1) for time_of_day in local if _is_twice(time_of_day, zone)]
    return min(moment for moment in [*first, *again] if moment > at)


def _moment(local: datetime, zone: tzinfo, fold: int = 0) -> datetime:
    """``local`` in UTC; a skipped one by the offset from before the clocks were set forward."""
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _is_twice(local: datetime, zone: tzinfo) -> bool:
    second = _moment(local, zone, fold=1)
    return second > _moment(local, zone) and second.astimezone(zone).replace(tzinfo=None) == local
