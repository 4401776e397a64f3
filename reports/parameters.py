"""Reads ``?project=…&from=…&to=…&bucket=…&tz=…`` the same way for the API and the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from django.http import QueryDict

from reports.exports import OUTPUTS
from reports.instants import READER, instant_at, zone_at
from reports.periods import AUTO, MAX_BUCKETS, BucketSize, Period, automatic, default_start, end_of_now
from reports.scopes import Scope, scope_of
from taskproject.errors import Invalid, unknown_name
from tasks.zones import reader_zone

NAMES = ("project", "from", "to", "bucket", "tz", "output")


BUCKETS = (*(size.value for size in BucketSize), AUTO)


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
    zone = reads_in if name == READER else zone_at("tz", name)
    bucket = _one_of("bucket", given.get("bucket", BucketSize.WEEK), BUCKETS)
    # Without a start, automatic buckets are those of the period that is the default.
    size = BucketSize.WEEK if bucket == AUTO else BucketSize(bucket)
    end = instant_at("to", given["to"], zone) if "to" in given else end_of_now(now, size, zone)
    start = instant_at("from", given["from"], zone) if "from" in given else default_start(end, size, zone)
    if start >= end:
        if "to" in given:
            _refuse("to", "It must be after `from`; the period goes from `from` up to, but not including, `to`.")
        _refuse("from", "It is in the future; choose an earlier one, or give `to` as well.")
    if bucket == AUTO:
        size = automatic(start, end, zone)
    period = Period(start, end, size, zone)
    if not period.count_at_most(MAX_BUCKETS):
        larger = "a shorter period" if size is BucketSize.YEAR else "a larger bucket or a shorter period"
        _refuse("bucket", f"The period has more than {MAX_BUCKETS:,} {size}s; choose {larger}.")
    return period


def read_question(query: QueryDict, *, user: Any, now: datetime, zone: ZoneInfo | None = None) -> Question:
    """The question that ``query`` asks on behalf of ``user``.

    Defaults: ``to`` the end of today (of this hour, of this minute), ``from`` as many buckets earlier as
    ``DEFAULT_LENGTH`` says, ``bucket`` week, ``tz`` the reader's ``zone``, by default that of their profile, and
    ``project`` all projects of the user. Raises ``Invalid`` for an invalid or unknown parameter, ``NotFound`` for a
    project that is not theirs.
    """
    given = _given(query)
    scope = scope_of(user, given.get("project"))
    period = _period(given, now, zone or reader_zone(user))
    return Question(scope, period, _one_of("output", given.get("output", "json"), OUTPUTS))
