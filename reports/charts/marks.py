"""Marks: what one can point at, tab to and follow. Each says its text in a tooltip that CSS shows, without a script."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from reports.charts.svg import Element, at, node, percent, pixels
from reports.charts.widths import fitted, width

Row = dict[str, Any]
#: The address of what is behind the figure in a column of a row; None if there is no such page.
Href = Callable[[Row, str], str | None]

TIP_WIDTH, TIP_LINES, LINE = 184, 8, 16
#: A tooltip begins at its mark, lies in its middle or ends there: so that it stays on a screen of 360 px.
LEFT, RIGHT = 20, 60


def isolated(text: str) -> str:
    """``text`` so that one that reads from right to left does not turn around what follows it."""
    turns = any(unicodedata.bidirectional(character) in ("R", "AL", "RLE", "RLO", "RLI") for character in text)
    return f"\u2068{text}\u2069" if turns else text


def sentence(words: Sequence[str]) -> str:
    """The first of ``words`` names the mark, the others are its figures: ``5 Jan: 3 tasks, 2 of them late``."""
    name, *figures = words
    return f"{isolated(name)}: {', '.join(figures)}" if figures else name


def _tip(mark: Element, x: float, y: float, words: Sequence[str]) -> None:
    lines = [fitted(text, TIP_WIDTH, bold=not index) for index, text in enumerate(words[:TIP_LINES])]
    wide = 16 + max(width(line, bold=not index) for index, line in enumerate(lines))
    high = 10 + LINE * len(lines)
    top = y - high - 8 if y - high >= 0 else max(0, y + 12)
    left = 10 if x < LEFT else -wide / 2 if x <= RIGHT else -wide - 10
    tip = at(mark, x, top, class_="chart-tip", aria_hidden="true")
    node(tip, "rect", x=pixels(left), y=0, width=pixels(wide), height=high, rx=4)
    for index, line in enumerate(lines):
        kind = "chart-tip-name" if not index else None
        node(tip, "text", line, class_=kind, x=pixels(left + 8), y=LINE * (index + 1))


def mark(parent: Element, x: float, y: float, words: Sequence[str], link: str | None) -> Element:
    """A mark with its tooltip at ``x`` percent and ``y`` pixels; the caller adds the shape that it covers."""
    if link:
        made = node(parent, "a", class_="chart-mark", href=link)
    else:
        made = node(parent, "g", class_="chart-mark", tabindex=0, role="img")
    node(made, "title", sentence(words))
    _tip(made, x, y, words)
    return made


def area(mark: Element, *, x: float, wide: float, top: float, high: float) -> None:
    """What ``mark`` covers: a rectangle, ``x`` and ``wide`` in percent, at least 8 px high."""
    top -= max(0, 8 - high) / 2
    node(
        mark, "rect", class_="chart-hit", x=percent(x), width=percent(wide), y=pixels(top), height=pixels(max(8, high))
    )


def spot(mark: Element, x: float, y: float, *, radius: int = 9) -> None:
    """What ``mark`` covers: a disc around a point."""
    node(mark, "circle", class_="chart-hit", cx=percent(x), cy=pixels(y), r=radius)
