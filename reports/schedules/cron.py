"""Reads cron expressions: five fields in a named zone, as Debian's cron takes them, also where clocks are changed."""

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from reports.models.schedule import LONGEST_CRON
from taskproject.errors import Invalid

FIELDS: Final = ("minute", "hour", "day of the month", "month", "weekday")
_HOW: Final = "Write five fields, minute, hour, day of the month, month and weekday, as in 0 8 * * 1 (Mondays at 8:00)."


def read_cron(text: str) -> str:
    """``text`` with single spaces between its fields. Raises ``Invalid`` at ``cron``, in one sentence."""
    parts = text.upper().split()
    shown = " ".join(parts)
    if len(shown) > LONGEST_CRON:
        raise Invalid({"cron": f"At most {LONGEST_CRON} characters."})
    if len(parts) != len(FIELDS):
        count = "one field" if len(parts) == 1 else f"{len(parts)} fields"
        raise Invalid({"cron": f"It has {count}. {_HOW}" if parts else _HOW})
    for place, part in enumerate(parts):
        alone = ["*"] * len(FIELDS)
        alone[place] = part
        if _parsed(" ".join(alone)) is None:
            raise Invalid({"cron": f"{part!r} is no {FIELDS[place]}. {_HOW}"})
    times = _parsed(shown)
    # In any zone: a zone changes when a day begins, not whether there is one.
    if times is None or next(times, None) is None:
        raise Invalid({"cron": f"{shown!r} names a day that never comes."})
    if len(times.minutes) > 1:
        raise Invalid({"cron": f"A report is sent once an hour at most; write one minute instead of {parts[0]!r}."})
    return shown


def next_time(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first time later than ``after`` that ``cron`` names by the clocks of ``zone``, in UTC; None: never again.

    A time that a change of clocks leaves out comes when they have been put forward, and one that comes twice counts the
    first time, except every hour.
    """
    times = _parsed(cron, after.astimezone(zone))
    while times is not None and (moment := next(times, None)) is not None:
        at: datetime = moment.astimezone(UTC)
        # In the hour that comes twice, times are counted from its first half.
        if at > after:
            return at
    return None


def next_times(cron: str, zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    """The first ``count`` times later than ``after``; fewer if there are no more."""
    times: list[datetime] = []
    while len(times) < count and (at := next_time(cron, zone, times[-1] if times else after)) is not None:
        times.append(at)
    return times


def in_words(cron: str) -> str:
    """``cron`` in English, such as *At 08:00 on Monday to Friday*."""
    times = _parsed(cron)
    words: str = times.explain().replace(" through ", " to ") if times is not None else cron
    return words


def _parsed(cron: str, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Any:
    # Here and not above: few processes read schedules.
    from cronsim import CronSim, CronSimError

    try:
        return CronSim(cron, start)
    except (CronSimError, ValueError):
        return None
