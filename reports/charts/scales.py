"""Scales: which round figures an axis shows, and where a value lies between them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reports.formats import DAY, HOUR, MINUTE, duration, figure

DURATION_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
)
#: Said without a noun: these have signs of their own, and of money only its owner knows the currency.
WITHOUT_NOUN = ("percent", "ratio", "seconds", "money")
#: What counts and sums of a database may reach; beyond, floating point has no room for a scale.
LARGEST = 1e18
LARGE = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"))


def number(value: Any) -> float | None:
    """``value`` if it is a number that a chart can show; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    amount = float(value)
    return amount if math.isfinite(amount) and abs(amount) <= LARGEST else None


def said(value: Any, unit: str) -> str:
    """A figure with its unit in words: ``3 h 11 min``, ``12.5 %``, ``1 task``, ``1,204.50 tokens``."""
    amount = number(value)
    if amount is None or unit in WITHOUT_NOUN:
        return figure(amount, unit)
    digits = f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}"
    noun = unit.removesuffix("s") if amount == 1 else unit
    return f"{digits} {noun}".rstrip().replace("-", "−", 1)


def named(columns: Sequence[tuple[str, str]], total: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    """The figures that ``total`` has for ``columns`` (name, label), each with its label: where a chart draws a line."""
    values = ((label, number((total or {}).get(column))) for column, label in columns)
    return [(label, value) for label, value in values if value is not None]


def _mark(value: float, unit: str) -> str:
    """A figure of an axis, as short as possible: the unit is in the chart's title."""
    if not value:
        return "0"
    if unit == "seconds":
        return duration(value)
    size, name = next(((size, f" {name}") for size, name in LARGE if abs(value) >= size), (1, ""))
    digits = f"{value / size:,.10f}".rstrip("0").rstrip(".")
    return f"{digits}{name}{' %' if unit == 'percent' else ''}".replace("-", "−", 1)


def _round_steps(*, from_power: int) -> Iterator[float]:
    for power in range(from_power, 30):
        for factor in (1, 2, 5):
            # Not ``factor * 10.0**power``: 1e-1 times 5 and so on have no exact result.
            yield factor * 10**power if power >= 0 else factor / 10**-power


def _steps(unit: str, *, whole: bool) -> Iterator[float]:
    if unit == "seconds":
        yield from DURATION_STEPS
        yield from (step * DAY for step in _round_steps(from_power=0))
    else:
        yield from _round_steps(from_power=0 if whole else -9)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from the first of ``marks`` to the last, all multiples of one round step; 0 is always among them."""

    marks: tuple[float, ...]
    unit: str

    @property
    def texts(self) -> list[str]:
        return [_mark(mark, self.unit) for mark in self.marks]

    def share(self, value: float) -> float:
        """Where ``value`` lies: 0 at the lower end, 1 at the upper; what is outside lies at the end."""
        low, high = self.marks[0], self.marks[-1]
        return min(1.0, max(0.0, (value - low) / (high - low)))


def scale(values: Iterable[Any], unit: str, *, at_most: int = 5) -> Scale:
    """The scale that holds all ``values`` and 0 with at most ``at_most`` steps, or one more where it has both signs."""
    known = [amount for value in values if (amount := number(value)) is not None]
    low, high = min(0.0, *known, 0.0), max(0.0, *known, 0.0)
    whole = all(amount == int(amount) for amount in known)
    step = next(step for step in _steps(unit, whole=whole) if (high - low) / step <= at_most)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        last = 1
    return Scale(tuple(step * index for index in range(first, last + 1)), unit)
