"""Reads ``?project=…&from=…&to=…&bucket=…&tz=…`` the same way for the API and the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from reports.exports import OUTPUTS
from reports.periods import MAX_BUCKETS, BucketSize, Period, default_start, midnight
from reports.scopes import Scope, scope_of
from taskproject.errors import Invalid, unknown_name
from taskproject.times import FIRST, LAST
from taskproject.zones import known_zone, known_zones
from tasks.zones import reader_zone

#: As ``tz``: the zone of the reader.
READER = "reader"
NAMES = ("project", "from", "to", "bucket", "tz", "output")


@dataclass(frozen=True)
class Question:
    """What a caller requested: the scope, the period, and the format of the answer."""

    scope: Scope
    period: Period
    output: str


def _refuse(name: str, text: str) -> NoReturn:
    raise Invalid({name: text})


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        _refuse(name, f"{unknown_name(value, known, what=name)} Known: {', '.join(known)}.")
    return value


def _zone(name: str) -> ZoneInfo:
    zone = known_zone(name)
    if zone is None:
        _refuse("tz", unknown_name(name, sorted(known_zones()), what="time zone"))
    return zone


def _instant(name: str, text: str, zone: ZoneInfo) -> datetime:
    """The instant of a date (midnight in ``zone``) or of an ISO 8601 time (in ``zone`` if it has no offset)."""
    try:
        if (day := parse_date(text)) is not None:
            instant = midnight(day, zone)
        elif (moment := parse_datetime(text)) is not None:
            instant = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        else:
            raise ValueError
        if not FIRST <= instant <= LAST:
            raise ValueError
    except (ValueError, OverflowError):
        years = f"from {FIRST.year} to {LAST.year}"
        _refuse(name, f"{text!r} is not a date {years}; write 2026-01-31 or 2026-01-31T10:00:00Z (a + as %2B).")
    return instant


def refuse_parameters(query: QueryDict, known: Sequence[str] = ()) -> None:
    """Raise ``Invalid`` for the first parameter that is not ``known``: a typo must not silently change figures."""
    for name in query:
        if name not in known:
            which = f"Known: {', '.join(known)}." if known else "Leave it out."
            _refuse(name[:60], f"{unknown_name(name[:60], known, what='parameter')} {which}")


def _given(query: QueryDict) -> dict[str, str]:
    """Each known parameter that was given and is not empty. Raises ``Invalid`` for unknown and repeated ones."""
    refuse_parameters(query, NAMES)
    given = {}
    for name in query:
        if len(query.getlist(name)) > 1:
            _refuse(name, "Give it once.")
        value = str(query[name]).strip()
        if "\x00" in value or len(value) > 100:
            _refuse(name, "The value is too long or contains invalid characters.")
        if value:
            given[name] = value
    return given


def _period(given: Mapping[str, str], now: datetime, reads_in: ZoneInfo) -> Period:
    name = given.get("tz", READER)
    zone = reads_in if name == READER else _zone(name)
    size = BucketSize(_one_of("bucket", given.get("bucket", BucketSize.WEEK), tuple(size.value for size in BucketSize)))
    tomorrow = midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
    end = _instant("to", given["to"], zone) if "to" in given else tomorrow
    start = _instant("from", given["from"], zone) if "from" in given else default_start(end, size, zone)
    if start >= end:
        if "to" in given:
            _refuse("to", "It must be after `from`; the period goes from `from` up to, but not including, `to`.")
        _refuse("from", "It is in the future; choose an earlier one, or give `to` as well.")
    period = Period(start, end, size, zone)
    if not period.count_at_most(MAX_BUCKETS):
        larger = "a shorter period" if size is BucketSize.MONTH else "a larger bucket or a shorter period"
        _refuse("bucket", f"The period has more than {MAX_BUCKETS:,} {size}s; choose {larger}.")
    return period


def read_question(query: QueryDict, *, user: Any, now: datetime, zone: ZoneInfo | None = None) -> Question:
    """The question that ``query`` asks on behalf of ``user``.

    Defaults: ``to`` the end of today, ``from`` 30 days, 12 weeks or 12 months earlier, ``bucket`` week, ``tz`` the
    reader's ``zone``, by default that of their profile, and ``project`` all projects of the user. Raises ``Invalid``
    for an invalid or unknown parameter, ``NotFound`` for a project that is not theirs.
    """
    given = _given(query)
    scope = scope_of(user, given.get("project"))
    period = _period(given, now, zone or reader_zone(user))
    return Question(scope, period, _one_of("output", given.get("output", "json"), OUTPUTS))
