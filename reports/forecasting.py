"""When work will be done, from how much was done on past days: a Monte Carlo simulation over throughput.

Each of ``DRAWS`` futures is a row of days, each a past day drawn at random with replacement. The draws are seeded: the
same days give the same forecast. See Vacanti, *Actionable Agile Metrics for Predictability* (2015), on forecasts from
throughput.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DRAWS = 10_000
SEED = 10
#: How far a future goes: what is not done by then has no date.
MAX_DAYS = 3_650
MIN_COMPLETIONS, MIN_DAYS = 20, 10


@dataclass(frozen=True)
class Futures:
    """What the draws gave: for each future, ascending, the days until all is done, and what is done by a day.

    ``days`` holds ``MAX_DAYS + 1`` for a future in which not all is done within ``MAX_DAYS``.
    """

    days: Sequence[int]
    done: Mapping[int, Sequence[int]]

    def days_at(self, confidence: float) -> int | None:
        """The least number of days within which all is done in ``confidence`` (0 to 1) of the futures, or None."""
        days = self.days[_needed(confidence, len(self.days)) - 1]
        return days if days <= MAX_DAYS else None

    def done_at(self, confidence: float, day: int) -> int:
        """The greatest number that is done by ``day`` in ``confidence`` (0 to 1) of the futures."""
        done = self.done[day]
        return done[len(done) - _needed(confidence, len(done))]


def _needed(confidence: float, draws: int) -> int:
    """How many of the futures are ``confidence`` of them, rounded up; 0.85 of 20 is 17, whatever 0.85 is in binary."""
    return max(1, math.ceil(round(confidence * draws, 6)))


def refusal(throughput: Sequence[int]) -> str | None:
    """Why so few completions per day are no ground for a forecast, as one sentence; None: they are enough."""
    completions, days = sum(throughput), len(throughput)
    if completions >= MIN_COMPLETIONS and days >= MIN_DAYS:
        return None
    return (
        f"A forecast needs at least {MIN_COMPLETIONS} completions on {MIN_DAYS} whole days; "
        f"this period has {completions:,} on {days:,}."
    )


def simulate(throughput: Sequence[int], backlog: int, *, by_days: Sequence[int] = ()) -> Futures:
    """Draw futures for ``backlog`` items that are not done, from the completions of past days.

    ``by_days``: the days, counted from now, for which ``Futures.done`` says how many are done. What is done is not
    limited by the backlog.
    """
    # Here and not above: it is a large part of what a process imports before it serves.
    import numpy as np

    random = np.random.default_rng(SEED)
    past = np.asarray(throughput, dtype=np.int64)
    done = np.zeros(DRAWS, dtype=np.int64)
    days = np.zeros(DRAWS, dtype=np.int64) if backlog <= 0 else np.full(DRAWS, MAX_DAYS + 1, dtype=np.int64)
    by_day: dict[int, list[int]] = {}
    is_possible = bool(past.any())
    for day in range(1, MAX_DAYS + 1):
        waits = is_possible and bool((days > MAX_DAYS).any())
        if not waits and day > max(by_days, default=0):
            break
        done += past[random.integers(0, len(past), size=DRAWS)]
        days[(days > MAX_DAYS) & (done >= backlog)] = day
        if day in by_days:
            by_day[day] = np.sort(done).tolist()
    return Futures(np.sort(days).tolist(), by_day)
