"""Limits of time within each other: the nearer end holds, and what comes after is limited as before."""

import time

import pytest
from django.db import connection

from taskproject import time_limits
from taskproject.time_limits import check_time, limited

pytestmark = pytest.mark.django_db

ENDLESS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}
#: Long enough for SQLite to look at the clock.
LONG = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT 1",
}


class OuterTooSlow(Exception):
    pass


class InnerTooSlow(Exception):
    pass


def _statement_timeout() -> str:
    """What PostgreSQL limits statements to; SQLite limits none by itself."""
    if connection.vendor == "sqlite":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


def _endless() -> None:
    with connection.cursor() as cursor:
        cursor.execute(ENDLESS[connection.vendor])


def test_outer_limit_still_holds_after_an_inner_one():
    def ask() -> None:
        with limited(0.1, InnerTooSlow):
            pass
        _endless()

    started = time.monotonic()
    with pytest.raises(OuterTooSlow), limited(0.2, OuterTooSlow):
        ask()
    assert time.monotonic() - started < 5


def test_outer_limit_still_holds_after_an_inner_one_was_reached():
    def ask() -> None:
        with pytest.raises(InnerTooSlow), limited(0.05, InnerTooSlow):
            _endless()
        check_time()
        _endless()

    started = time.monotonic()
    with pytest.raises(OuterTooSlow), limited(0.5, OuterTooSlow):
        ask()
    assert time.monotonic() - started < 5


def test_inner_limit_that_ends_later_does_not_extend_the_outer_one():
    started = time.monotonic()
    with pytest.raises(OuterTooSlow), limited(0.1, OuterTooSlow), limited(20, InnerTooSlow):
        _endless()
    assert time.monotonic() - started < 5
    with pytest.raises(OuterTooSlow), limited(0, OuterTooSlow), limited(20, InnerTooSlow):
        check_time()


def test_nothing_is_limited_afterwards(monkeypatch):
    before = _statement_timeout()
    with limited(60, OuterTooSlow), limited(30, InnerTooSlow):
        pass
    assert _statement_timeout() == before
    now = time.monotonic()
    monkeypatch.setattr(time_limits.time, "monotonic", lambda: now + 3600)
    check_time()
    with connection.cursor() as cursor:
        cursor.execute(LONG[connection.vendor])
