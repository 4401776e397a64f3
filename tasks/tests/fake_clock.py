"""A clock that tests move: the database's time, which may be set, and the process's own, which only passes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tasks import clock
from tasks.actions import timekeeping


class FakeClock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def let_pass(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds

    def set(self, *, by: float) -> None:
        """Somebody sets the database's clock, forward or (negative) back."""
        self.time += timedelta(seconds=by)


def patch_clock(monkeypatch: pytest.MonkeyPatch, now: Callable[[], datetime]) -> None:
    """Let ``now`` tell the database's time, however it is asked for it."""
    monkeypatch.setattr(clock, "now", now)
    monkeypatch.setattr(clock, "read", lambda moment: now())


@pytest.fixture
def fake_clock(monkeypatch) -> FakeClock:
    fake = FakeClock()
    patch_clock(monkeypatch, fake.now)
    monkeypatch.setattr(clock, "monotonic", fake.monotonic)
    monkeypatch.setattr(timekeeping, "watch", timekeeping.ClockWatch())
    return fake
