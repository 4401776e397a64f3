"""Counting requests in memory: the window slides, the reported wait suffices, and callers are forgotten."""

import pytest
from limits import parse

from taskproject.api import throttling


@pytest.fixture
def at(monkeypatch):
    """``at(seconds)``: set the time, counted from the start of a window."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(throttling.time, "time", lambda: 60_000_000 + seconds)

    set_to(0)
    return set_to


TEN = parse("10/minute")


def hits(limiter: throttling.MemoryLimiter, count: int, caller: str = "user:1") -> int:
    return sum(limiter.hit(TEN, caller) for _ in range(count))


def test_hit_beyond_the_limit_is_refused_for_that_caller_alone(at):
    limiter = throttling.MemoryLimiter()
    assert hits(limiter, 12) == 10
    assert hits(limiter, 3, "user:2") == 3


def test_hit_in_the_next_window_counts_what_is_still_in_sight(at):
    limiter = throttling.MemoryLimiter()
    hits(limiter, 10)
    at(90)  # half of the previous window has passed out of view
    assert hits(limiter, 12) == 5
    at(120)
    assert hits(limiter, 12) == 5  # these five still count in full
    at(400)
    assert hits(limiter, 12) == 10


@pytest.mark.parametrize(
    ("early", "late", "moment"), [(10, 0, 59), (10, 5, 90), (7, 10, 61), (3, 8, 100), (10, 9, 119)]
)
def test_reported_wait_and_no_longer_lets_the_next_through(at, early, late, moment):
    limiter = throttling.MemoryLimiter()
    hits(limiter, early)
    at(moment)
    hits(limiter, late)
    while limiter.hit(TEN, "user:1"):
        pass
    wait = limiter.wait(TEN, "user:1")
    assert 0 < wait <= 120
    at(moment + wait + 0.001)
    assert limiter.hit(TEN, "user:1")


def test_hit_of_many_callers_forgets_those_long_gone(at, monkeypatch):
    monkeypatch.setattr(throttling, "CALLERS_KEPT", 50)
    limiter = throttling.MemoryLimiter()
    for number in range(50):
        hits(limiter, 1, f"address:{number}")
    at(150)
    hits(limiter, 1, "address:new")
    assert len(limiter._counts) == 1
