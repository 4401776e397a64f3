"""Counts in the database: the same figures as in memory, one for all processes, none lost when many count at once."""

import time
from types import SimpleNamespace

import pytest
from limits import parse

from taskproject import counts
from taskproject import limiter as limiters
from taskproject.models import KeptCount
from tasks.tests.racing import at_once

TEN = parse("10/minute")


@pytest.fixture
def at(monkeypatch):
    """``at(seconds)``: set both clocks, counted from the start of a window."""

    def set_to(seconds: float) -> None:
        now = 60_000_000 + seconds
        monkeypatch.setattr(limiters, "time", SimpleNamespace(time=lambda: now, monotonic=time.monotonic))
        monkeypatch.setattr(counts, "_database_time", lambda: now)

    set_to(0)
    return set_to


@pytest.mark.django_db
def test_counts_in_the_database_are_those_in_memory(at):
    memory, database = limiters.MemoryLimiter(), counts.DatabaseLimiter()
    for moment in (0, 20, 59, 61, 90, 119, 125, 300, 301):
        at(moment)
        for _ in range(4):
            answers = [limiter.hit(TEN, "a") for limiter in (memory, database)]
            assert answers[0] == answers[1]
            assert memory.test(TEN, "a") == database.test(TEN, "a")
            assert memory.wait(TEN, "a") == pytest.approx(database.wait(TEN, "a"))
    assert database.test(TEN, "b")
    database.clear(TEN, "a")
    assert not KeptCount.objects.exists()


@pytest.mark.django_db
def test_counts_that_limit_nothing_any_more_are_removed():
    database = counts.DatabaseLimiter()
    database.hit(TEN, "now")
    assert not KeptCount.objects.past().exists()
    KeptCount.objects.update(until="2020-01-01T00:00:00Z")
    assert KeptCount.objects.past().exists()


@pytest.mark.django_db(transaction=True)
def test_attempts_at_once_are_all_counted(at):
    database = counts.DatabaseLimiter()
    outcomes = at_once(*(lambda: database.hit(TEN, "burst") for _ in range(16)), seed=1)
    assert sorted(outcomes) == [False] * 6 + [True] * 10
