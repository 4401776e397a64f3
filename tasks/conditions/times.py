"""Times in conditions: a moment, a day of the reader's zone, or either counted from the present.

``2026-11-22T10:00:00Z`` · ``2026-11-22`` · ``today`` · ``-7d``, ``2w``: that day · ``-3h``: that moment.
``before`` a day means before its start, ``after`` from its start on, ``on`` within it.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from taskproject.texts import counted
from taskproject.times import NOT_A_TIME, read_moment

if TYPE_CHECKING:
    from tasks.conditions.fields import Context

HELP = "A time, a day, or counted from today: `today`, `-7d`, `2w`; from now: `-3h`."
_COUNTED = re.compile(r"([+-]?)([0-9]{1,4})([hdw])")
_NOT_A_DAY = "Must be a day such as 2026-11-22, today or -7d."


def _as_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _distance(text: str) -> tuple[int, str] | None:
    """How far from the present, and in what: ``(-7, "d")``; None if it is not counted from it."""
    if text == "today":
        return 0, "d"
    if match := _COUNTED.fullmatch(text):
        sign, count, unit = match.groups()
        far = -int(count) if sign == "-" else int(count)
        return (far * 7, "d") if unit == "w" else (far, unit)
    return None


def wrong(text: str, *, day_only: bool) -> str | None:
    """The sentence that refuses ``text``; None if ``span`` understands it."""
    text = text.strip()
    if distance := _distance(text):
        return _NOT_A_DAY if day_only and distance[1] == "h" else None
    if day_only and _as_day(text) is None:
        return _NOT_A_DAY
    try:
        read_moment(text)
    except ValueError as error:
        sentence = str(error)
        return (
            f"{NOT_A_TIME.removesuffix('.')}, or counted such as today, -7d or -3h."
            if sentence == NOT_A_TIME
            else sentence
        )
    return None


def span(text: str, context: "Context") -> tuple[datetime, datetime]:
    """From when and up to when (excluded) ``text`` lasts, in UTC: a day until the next, a moment no time at all."""
    text = text.strip()
    day = _as_day(text)
    if distance := _distance(text):
        far, unit = distance
        if unit == "h":
            moment = context.present + timedelta(hours=far)
            return moment, moment
        day = context.present.astimezone(context.zone).date() + timedelta(days=far)
    if day is None:
        moment = read_moment(text, zone=context.zone)
        return moment, moment
    return _midnight(day, context), _midnight(day + timedelta(days=1), context)


def _midnight(day: date, context: "Context") -> datetime:
    return datetime.combine(day, time(), tzinfo=context.zone).astimezone(UTC)


def in_words(text: str, zone: ZoneInfo) -> str:
    """``text`` for people: ``7 days ago``, ``in 2 weeks``, ``22 Nov 2026``; a moment as it is in ``zone``."""
    text = text.strip()
    match = _COUNTED.fullmatch(text)
    if match is None:
        return _moment_in_words(text, zone)
    sign, count, unit = match.groups()
    far = counted(int(count), {"h": "hour", "d": "day", "w": "week"}[unit])
    return f"{far} ago" if sign == "-" else f"in {far}"


def _moment_in_words(text: str, zone: ZoneInfo) -> str:
    if day := _as_day(text):
        return f"{day:%-d %b %Y}"
    if text == "today":
        return text
    moment = read_moment(text, zone=zone).astimezone(zone)
    seconds = ":%S" if moment.second else ""
    return f"{moment:%-d %b %Y, %H:%M{seconds}}"
