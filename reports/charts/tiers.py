"""What a chart shows depends on how wide it is: ``reports.css`` hides parts by the width of their container.

The server does not know the width. It lays out the texts once for each *tier* of widths, so that they fit into the
narrowest of it, and gives each text the first and the last tier that shows it: ``from-2 to-4``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TypeVar

from reports.charts.widths import fitted, width

#: From how many pixels each tier begins; ``reports.css`` has the same in its container queries.
TIERS = (0, 150, 210, 280, 360, 480, 640, 840, 1_080)
NARROWEST = 110
GAP = 10

T = TypeVar("T")


def room(tier: int) -> int:
    """How many pixels a chart of ``tier`` has at least."""
    return max(TIERS[tier], NARROWEST)


def first_tier(pixels: float) -> int | None:
    """The first tier with ``pixels``; None if even the widest has fewer."""
    return next((tier for tier in range(len(TIERS)) if room(tier) >= pixels), None)


def shown(first: int, last: int = len(TIERS) - 1) -> str:
    """The classes of what only the tiers from ``first`` to ``last`` show."""
    classes = [f"from-{first}"] * (first > 0) + [f"to-{last}"] * (last < len(TIERS) - 1)
    return " ".join(classes)


def per_tier(make: Callable[[int], T]) -> list[tuple[T, str]]:
    """What ``make`` gives for the room of each tier, with the classes of the tiers that have it in common."""
    made = [(make(room(tier)), tier) for tier in range(len(TIERS))]
    spans = []
    for what, group in groupby(made, key=lambda pair: pair[0]):
        tiers = [tier for _, tier in group]
        spans.append((what, shown(tiers[0], tiers[-1])))
    return spans


@dataclass(frozen=True, slots=True)
class Label:
    """A text below the axis: at ``x`` percent of the chart, with the ``text-anchor`` that keeps it inside."""

    text: str
    x: float
    anchor: str

    def span(self, pixels: float) -> tuple[float, float]:
        """From where to where it goes in a chart of ``pixels``."""
        at, wide = self.x / 100 * pixels, width(self.text)
        left = at - {"start": 0, "middle": wide / 2, "end": wide}[self.anchor]
        return left, left + wide


def placed(text: str, x: float, pixels: float) -> Label:
    """``text`` in the middle of ``x`` percent, or at the side of the chart where it would stick out."""
    text = fitted(text, pixels)
    label = Label(text, x, "middle")
    left, right = label.span(pixels)
    if left < 0:
        return Label(text, 0, "start")
    return Label(text, 100, "end") if right > pixels else label


def _are_apart(labels: Sequence[Label], pixels: float) -> bool:
    spans = [label.span(pixels) for label in labels]
    return all(left[1] + GAP <= right[0] for left, right in pairwise(spans))


def thinned(texts: Sequence[tuple[str, float]], pixels: float) -> tuple[Label, ...]:
    """As many of ``texts`` (each with its place in percent, ascending) as fit, every n-th of them from the first."""
    if not texts:
        return ()
    narrowest = min(width(text) for text, _ in texts)
    every = max(1, math.floor(len(texts) * narrowest / (pixels + narrowest)))
    while every < len(texts):
        labels = tuple(placed(text, x, pixels) for text, x in texts[::every])
        if _are_apart(labels, pixels):
            return labels
        every += 1
    return (placed(*texts[0], pixels),)


def kept(texts: Sequence[tuple[str, float]], pixels: float) -> tuple[Label, ...]:
    """Those of ``texts`` (each with its place in percent, ascending) that do not meet one before them."""
    labels: list[Label] = []
    for text, x in texts:
        label = placed(text, x, pixels)
        if not labels or _are_apart((labels[-1], label), pixels):
            labels.append(label)
    return tuple(labels)
