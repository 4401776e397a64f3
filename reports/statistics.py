"""Statistics that a database does not compute: a spread, and how sure a share is. Pure."""

from collections.abc import Iterable
from math import sqrt
from typing import Final, NamedTuple

#: Standard deviations of a normal distribution that hold 95 % of it.
Z_95: Final = 1.959964


class Interval(NamedTuple):
    """A range of shares, each from 0 to 1."""

    low: float
    high: float


def gini(values: Iterable[float]) -> float | None:
    """Gini coefficient of ``values`` (none negative): 0 all equal, towards 1 one has all.

    None below two values, among which there is no spread, and if their sum is 0.

    ``2 · Σ i·v[i] / (n · Σ v) − (n + 1) / n`` over the ascending values, i from 1
    (Sen, *On Economic Inequality*, 1973).
    """
    ordered = sorted(values)
    total, n = sum(ordered), len(ordered)
    if n < 2 or not total:
        return None
    return 2 * sum(place * value for place, value in enumerate(ordered, start=1)) / (n * total) - (n + 1) / n


def wilson(hits: int, n: int) -> Interval | None:
    """The score interval at 95 % for the share behind ``hits`` out of ``n``; None without trials.

    ``(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)`` with ``p = hits / n`` (Wilson, *Probable Inference, the Law of
    Succession, and Statistical Inference*, 1927). Unlike ``p ± z·√(p(1−p)/n)`` it stays within 0 and 1, and is not a
    point after one success. Raises ``ValueError`` unless ``0 ≤ hits ≤ n``.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is not a share.")
    if not n:
        return None
    share, square = hits / n, Z_95 * Z_95
    middle = share + square / (2 * n)
    spread = Z_95 * sqrt(share * (1 - share) / n + square / (4 * n * n))
    scale = 1 + square / n
    # At the ends the two terms are equal but for rounding.
    low = 0.0 if not hits else (middle - spread) / scale
    high = 1.0 if hits == n else (middle + spread) / scale
    return Interval(low, high)
