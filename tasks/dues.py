"""When something is due, as people write it: ``friday``, ``tomorrow 17:00``, ``2026-12-01``, ``3d``; pure.

Times of day are those of the reader's zone. What can be understood in two ways is refused, with both written out.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from taskproject.times import END_OF_DAY, FIRST, LAST, OUT_OF_RANGE
from tasks.errors import unknown_name

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTHS = {name: n for n, month in enumerate(MONTHS, 1) for name in (month, month[:3])} | {"sept": 9}
#: What stands for a day; the shorter forms of weekdays are their beginnings.
_DAYS = ("today", "tomorrow", *WEEKDAYS)
#: Words that people write before a day; a title reads only the first of two words.
_BEFORE_A_DAY = frozenset({"next", "this", "in", "on", "by", "coming"})
_COUNTED = re.compile(r"\+?([0-9]{1,4})([dw])")
_NUMBERS = re.compile(r"([0-9]{1,2})([/.])([0-9]{1,2})(\2([0-9]{4})?)?")
_NAMED = re.compile(r"([0-9]{1,2})[-.]?([a-z]{3,9})(?:-([0-9]{4}))?|([a-z]{3,9})-?([0-9]{1,2})(?:-([0-9]{4}))?")
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?\s?(?:([ap])\.?m\.?)?")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class NotADue(ValueError):
    """The text names no day and time, or several; the message is one sentence."""


def is_clock(text: str) -> bool:
    """Whether ``text`` is a time of day, such as ``17:00`` or ``5pm``."""
    match = _CLOCK.fullmatch(text.lower())
    return match is not None and (match[2] is not None or match[3] is not None)


def is_hour_of_half_a_day(text: str) -> bool:
    """Whether ``text`` is an hour from 1 to 12 with am or pm, which people also write as two words."""
    match = _CLOCK.fullmatch(text.lower())
    return match is not None and match[3] is not None and 1 <= int(match[1]) <= 12


def read_due(text: str, now: datetime) -> datetime:
    """The time that ``text`` means, in UTC. ``now``: the present, in the reader's zone.

    A day alone means its last second. Raises ``NotADue``.
    """
    words = text.strip().lower()
    if not words:
        raise NotADue("Say when it is due, such as friday, tomorrow 17:00 or 2026-12-01.")
    if len(words) > 60:
        raise NotADue("Write a day, such as friday or 2026-12-01, and a time such as 17:00.")
    zone = now.tzinfo
    assert zone is not None
    try:
        whole = datetime.fromisoformat(words.upper())
    except ValueError:
        whole = None
    if whole is not None and whole.tzinfo is not None:
        return _in_range(whole)
    day_words, _, clock_words = re.sub(r"(?<=[0-9])t(?=[0-9])", " ", words).partition(" ")
    if is_clock(words):
        moment = _at(now.date(), _clock(words), zone)
        if moment <= now:
            raise NotADue(f"{text.strip()} has passed today; write the day too, such as tomorrow {text.strip()}.")
        return _in_range(moment)
    clock = _clock(clock_words) if clock_words.strip() else END_OF_DAY
    try:
        return _in_range(_at(_day(day_words, now.date()), clock, zone))
    except OverflowError:
        raise NotADue(OUT_OF_RANGE) from None


def _at(day: date, clock: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone)


def _in_range(moment: datetime) -> datetime:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise NotADue(OUT_OF_RANGE) from None
    if not FIRST <= moment <= LAST:
        raise NotADue(OUT_OF_RANGE)
    return moment


def _clock(words: str) -> time:
    match = _CLOCK.fullmatch(words.strip())
    if match is None or not (match[2] or match[3]):
        raise NotADue(f"{words.strip()!r} is not a time of day; write it such as 17:00.")
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3]
    if half:
        if not 1 <= hour <= 12:
            raise NotADue(f"{words.strip()!r} is not a time of day; write it such as 17:00.")
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, minute)
    except ValueError:
        raise NotADue(f"{words.strip()!r} is not a time of day; write it such as 17:00.") from None


def _day(words: str, today: date) -> date:
    if words == "today":
        return today
    if words == "tomorrow":
        return today + timedelta(days=1)
    if len(words) >= 3 and (weekday := next((name for name in WEEKDAYS if name.startswith(words)), None)):
        return _weekday(weekday, today)
    if match := _COUNTED.fullmatch(words):
        return today + timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))
    if _ISO.fullmatch(words):
        return _date(int(words[:4]), int(words[5:7]), int(words[8:]), words)
    if match := _NUMBERS.fullmatch(words):
        return _of_numbers(match, words, today)
    if (match := _NAMED.fullmatch(words)) and (day := _of_name(match, words, today)):
        return day
    if words == "yesterday":
        raise NotADue("Yesterday is over; write a day to come.")
    if words in _BEFORE_A_DAY:
        raise NotADue(f"{words!r} is not a day; write monday, 3d, 2w or 2026-12-01.")
    raise NotADue(unknown_name(words, _DAYS, what="day"))


def _weekday(name: str, today: date) -> date:
    ahead = (WEEKDAYS.index(name) - today.weekday()) % 7
    if ahead == 0:
        again = today + timedelta(days=7)
        raise NotADue(
            f"{name.capitalize()} may be today, {today}, or in a week, {again}; write due:today or due:{again}."
        )
    return today + timedelta(days=ahead)


def _date(year: int, month: int, day: int, words: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise NotADue(f"There is no day {words}.") from None


def _next(month: int, day: int, words: str, today: date) -> date:
    """The next such day from ``today`` on; 29 February may be years ahead."""
    for year in range(today.year, today.year + 9):
        try:
            candidate = date(year, month, day)
        except ValueError:
            continue
        if candidate >= today:
            return candidate
    raise NotADue(f"There is no day {words}.")


def _of_numbers(match: re.Match[str], words: str, today: date) -> date:
    """Day and month by numbers: with points the day stands first; with a slash people differ."""
    first, last, year = int(match[1]), int(match[3]), match[5]

    def read(day: int, month: int) -> date:
        return _date(int(year), month, day, words) if year else _next(month, day, words, today)

    if match[2] == "." and not match[4]:
        raise NotADue(f"{words} could mean a number; write {words}. for a day and its month.")
    if match[2] == "/" and first != last and first <= 12 and last <= 12:
        raise NotADue(f"{words} could mean {read(first, last)} or {read(last, first)}; write the one you mean.")
    return read(last, first) if match[2] == "/" and last > 12 else read(first, last)


def _of_name(match: re.Match[str], words: str, today: date) -> date | None:
    day, name, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
    month = _MONTHS.get(name)
    if month is None:
        return None
    return _date(int(year), month, int(day), words) if year else _next(month, int(day), words, today)
