"""The time zones that this machine knows."""

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names of all time zones; read once, since it looks through many files."""
    return frozenset(available_timezones())


def known_zone(name: str) -> ZoneInfo | None:
    """The time zone ``name``; None for anything else, whatever the text is."""
    return ZoneInfo(name) if name in known_zones() else None


def server_zone() -> ZoneInfo:
    """The zone of ``TIME_ZONE``."""
    return ZoneInfo(settings.TIME_ZONE)
