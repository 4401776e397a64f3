"""Counting requests in memory: the window slides, the reported wait suffices, and callers are forgotten."""

import pytest
from limits import parse

from taskproject import limiter as limiters


@pytest.fixture
def at(monkeypatch):
    """``at(seconds)``: set the time, counted from the start of a window."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(limiters.time, "time", lambda: 60_000_000 + seconds)

    set_to(0)
    return set_to


TEN = parse("10/minute")


def hits(limiter: limiters.MemoryLimiter, count: int, caller: str = "user:1") -> int:
    return sum(limiter.hit(TEN, caller) for _ in range(count))


def test_hit_beyond_the_limit_is_refused_for_that_caller_alone(at):
    limiter = limiters.MemoryLimiter()
    assert hits(limiter, 12) == 10
    assert hits(limiter, 3, "user:2") == 3


def test_hit_in_the_next_window_counts_what_is_still_in_sight(at):
    limiter = limiters.MemoryLimiter()
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
    limiter = limiters.MemoryLimiter()
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
    monkeypatch.setattr(limiters, "CALLERS_KEPT", 50)
    limiter = limiters.MemoryLimiter()
    for number in range(50):
        hits(limiter, 1, f"address:{number}")
    at(150)
    hits(limiter, 1, "address:new")
    assert len(limiter._counts) == 1


def test_limits_of_other_lengths_do_not_mix(at, monkeypatch):
    monkeypatch.setattr(limiters, "CALLERS_KEPT", 1)
    limiter, slow = limiters.MemoryLimiter(), parse("2/day")
    assert [limiter.hit(slow, "user:1") for _ in range(3)] == [True, True, False]
    at(300)  # whatever is forgotten now, a day has not passed
    assert hits(limiter, 12) == 10
    assert hits(limiter, 12, "user:2") == 10
    assert not limiter.hit(slow, "user:1")


def test_test_counts_nothing_and_clear_forgets(at):
    limiter = limiters.MemoryLimiter()
    assert all(limiter.test(TEN, "user:1") for _ in range(20))
    assert hits(limiter, 12) == 10
    assert not limiter.test(TEN, "user:1")
    limiter.clear(TEN, "user:1")
    assert hits(limiter, 12) == 10
