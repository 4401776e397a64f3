"""Limits of time within each other: the nearer end holds, and what comes after is limited as before."""

import time

import pytest
from django.db import connection

from taskproject.time_limits import check_time, limited

pytestmark = pytest.mark.django_db

ENDLESS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}
#: Ends in time, but after the limits of the test that uses it.
LONGER = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT pg_sleep(0.05)",
}


class OuterTooSlow(Exception):
    pass


class InnerTooSlow(Exception):
    pass


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


def test_nothing_is_limited_afterwards():
    with limited(0.02, OuterTooSlow), limited(0.01, InnerTooSlow):
        pass
    time.sleep(0.03)
    check_time()
    with connection.cursor() as cursor:
        cursor.execute(LONGER[connection.vendor])
