"""Quiet hours and the hour of the digest: across midnight, and on the days on which clocks are set."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from messaging.notifications.quiet import next_daily, quiet_until

VIENNA = ZoneInfo("Europe/Vienna")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "start", "end", "until"),
    [
        # Vienna is at UTC+1 in winter.
        ("2026-01-10T20:59", "22:00", "07:00", None),
        ("2026-01-10T21:00", "22:00", "07:00", "2026-01-11T06:00"),
        ("2026-01-11T05:59", "22:00", "07:00", "2026-01-11T06:00"),
        ("2026-01-11T06:00", "22:00", "07:00", None),
        ("2026-01-10T12:30", "13:00", "14:00", "2026-01-10T13:00"),
        ("2026-01-10T13:00", "13:00", "14:00", None),
        ("2026-01-10T13:00", "00:00", "00:00", "2026-01-10T23:00"),
        # The night in which summer begins is an hour shorter, the one in which it ends an hour longer.
        ("2026-03-28T21:00", "22:00", "07:00", "2026-03-29T05:00"),
        ("2026-10-24T20:00", "22:00", "07:00", "2026-10-25T06:00"),
        # Half past two is skipped: it comes an hour later.
        ("2026-03-29T00:30", "22:00", "02:30", "2026-03-29T01:30"),
        # It comes twice: quiet until the first, and again until the second.
        ("2026-10-25T00:15", "22:00", "02:30", "2026-10-25T00:30"),
        ("2026-10-25T00:45", "22:00", "02:30", None),
        ("2026-10-25T01:15", "22:00", "02:30", "2026-10-25T01:30"),
    ],
)
def test_quiet_until(at, start, end, until):
    got = quiet_until(utc(at), VIENNA, time.fromisoformat(start), time.fromisoformat(end))
    assert got == (utc(until) if until else None)


def test_without_quiet_hours_it_never_is():
    assert quiet_until(utc("2026-01-10T03:00"), VIENNA, None, None) is None


@pytest.mark.parametrize(
    ("at", "hour", "then"),
    [
        ("2026-01-10T06:59", "08:00", "2026-01-10T07:00"),
        ("2026-01-10T07:00", "08:00", "2026-01-11T07:00"),
        ("2026-03-28T07:00", "08:00", "2026-03-29T06:00"),
        ("2026-03-28T12:00", "02:30", "2026-03-29T01:30"),
        ("2026-10-24T12:00", "02:30", "2026-10-25T00:30"),
        ("2026-10-25T00:30", "02:30", "2026-10-26T01:30"),
    ],
)
def test_next_daily(at, hour, then):
    assert next_daily(utc(at), VIENNA, time.fromisoformat(hour)) == utc(then)
