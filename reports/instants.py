"""Reads zones and times as people write them, in addresses and in definitions."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.utils.dateparse import parse_date, parse_datetime

from reports.periods import midnight
from taskproject.errors import Invalid, unknown_name
from taskproject.times import FIRST, LAST
from taskproject.zones import known_zone, known_zones

#: As ``tz``: the zone of the reader.
READER = "reader"


def zone_at(place: str, name: str) -> ZoneInfo:
    """The zone of this name. Raises ``Invalid`` at ``place``."""
    zone = known_zone(name)
    if zone is None:
        raise Invalid({place: unknown_name(name, sorted(known_zones()), what="time zone")})
    return zone


def instant_at(place: str, text: str, zone: ZoneInfo) -> datetime:
    """The instant of a date (midnight in ``zone``) or of an ISO 8601 time (in ``zone`` if it has no offset).

    Raises ``Invalid`` at ``place``.
    """
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
        sentence = f"{text!r} is not a date {years}; write 2026-01-31 or 2026-01-31T10:00:00Z (a + as %2B)."
        raise Invalid({place: sentence}) from None
    return instant
