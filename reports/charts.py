"""Charts as SVG, drawn on the server: no scripts, no inline styles, and readable without either.

Positions along the fluid axis are percentages and everything else is in pixels, so a chart fills any width while its
texts keep their size. Colours, including dark mode, come from ``reports.css`` by class. Each chart has a title and a
description for screen readers; the page also shows the same figures as a table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from django.utils.safestring import SafeString, mark_safe

from reports.formats import DAY, HOUR, MINUTE, duration, figure

Rows = Sequence[dict[str, Any]]

PLOT_TOP, PLOT_HEIGHT, LABELS_HEIGHT = 22, 170, 26
CHART_HEIGHT = PLOT_TOP + PLOT_HEIGHT + LABELS_HEIGHT
AXIS_WIDTH = 62
#: Width of a character of 12 px text, a generous estimate.
CHARACTER_WIDTH = 8
MAX_LABELS = 8
MAX_BARS = 15
DURATION_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)),
)


def _node(parent: ElementTree.Element | None, tag: str, text: str | None = None, **attributes: Any) -> Any:
    """An SVG element; ``class_`` and ``text_anchor`` become ``class`` and ``text-anchor``. Texts are escaped."""
    named = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    element = ElementTree.Element(tag, named) if parent is None else ElementTree.SubElement(parent, tag, named)
    element.text = text
    return element


def _percent(value: float) -> str:
    return f"{value:.3f}%"


def _root(ident: str, title: str, description: str, *, height: int) -> ElementTree.Element:
    names = f"{ident}-title {ident}-desc"
    svg = _node(None, "svg", class_="chart", width="100%", height=height, role="img", aria_labelledby=names)
    _node(svg, "title", title, id=f"{ident}-title")
    _node(svg, "desc", description, id=f"{ident}-desc")
    return svg


def _html(*elements: ElementTree.Element) -> SafeString:
    # ElementTree escaped every text and attribute.
    return mark_safe("".join(ElementTree.tostring(element, encoding="unicode") for element in elements))  # noqa: S308


def ticks(top: float, *, at_most: int = 5) -> list[float]:
    """Round values from 0 up to the first at or above ``top``: whole numbers, in steps of 1, 2 or 5 times 10ⁿ."""
    steps = (factor * 10**power for power in range(18) for factor in (1, 2, 5))
    step = next(step for step in steps if top / step <= at_most)
    return [step * index for index in range(max(1, math.ceil(top / step)) + 1)]


def duration_ticks(top: float, *, at_most: int = 5) -> list[float]:
    """The same for durations, in steps that are round in seconds, minutes, hours or days."""
    step = next((step for step in DURATION_STEPS if top / step <= at_most), 10_000 * DAY)
    return [step * index for index in range(max(1, math.ceil(top / step)) + 1)]


def _axis(marks: Sequence[float], unit: str) -> ElementTree.Element:
    """The figures beside the grid, in a separate drawing as wide as the longest of them."""
    texts = [figure(mark, unit) if mark else "0" for mark in marks]
    width = max(AXIS_WIDTH, 8 + CHARACTER_WIDTH * max(map(len, texts)))
    axis = _node(None, "svg", class_="chart-axis", width=width, height=CHART_HEIGHT, aria_hidden="true")
    for mark, text in zip(marks, texts, strict=True):
        y = f"{_y(mark, marks[-1]) + 4:.1f}"
        _node(axis, "text", text, class_="chart-text", x=width - 8, y=y, text_anchor="end")
    return axis


def _y(value: float, top: float) -> float:
    return PLOT_TOP + PLOT_HEIGHT * (1 - value / top)


def _grid(svg: ElementTree.Element, marks: Sequence[float]) -> None:
    for mark in marks:
        y = f"{_y(mark, marks[-1]):.1f}"
        _node(svg, "line", class_="chart-grid" if mark else "chart-base", x1="0%", x2="100%", y1=y, y2=y)


def _labels(svg: ElementTree.Element, labels: Sequence[str]) -> None:
    """Names of the slots, as many as fit; every second one is hidden on narrow screens."""
    every = max(1, math.ceil(len(labels) / MAX_LABELS))
    for shown, index in enumerate(range(0, len(labels), every)):
        middle = 100 * (index + 0.5) / len(labels)
        anchor = "start" if middle < 7 else "end" if middle > 93 else "middle"
        x = {"start": 0.0, "end": 100.0}.get(anchor, middle)
        kind = "chart-text chart-spare" if shown % 2 else "chart-text"
        _node(svg, "text", labels[index], class_=kind, x=_percent(x), y=CHART_HEIGHT - 8, text_anchor=anchor)


# Each chart lists the columns of its table in ``table``; an empty list means all.


@dataclass(frozen=True, slots=True)
class Columns:
    """One bar per bucket over time: the count in the column ``value``."""

    value: str
    title: str
    unit: str = "tasks"
    table: tuple[str, ...] = ()

    def legend(self, rows: Rows) -> list[tuple[str, str]]:
        if not any(row["is_partial"] and row[self.value] for row in rows):
            return []
        return [("key-value", "a whole period"), ("key-partial", "partial: cut off by the dates, or not over yet")]

    def draw(self, rows: Rows, *, labels: Sequence[str], ident: str) -> SafeString:
        values = [row[self.value] for row in rows]
        marks = ticks(max(values, default=0))
        peak = labels[values.index(max(values))] if any(values) else ""
        description = f"{sum(values):,} {self.unit} in {len(rows)} periods"
        description += f", most in {peak} ({max(values):,})." if peak else "."
        svg = _root(ident, self.title, description, height=CHART_HEIGHT)
        _grid(svg, marks)
        slot = 100 / max(1, len(rows))
        gap = 0.15 if len(rows) <= 60 else 0.04
        for index, (row, value, label) in enumerate(zip(rows, values, labels, strict=True)):
            if not value:
                continue
            y = _y(value, marks[-1])
            kind = "chart-value chart-partial" if row["is_partial"] else "chart-value"
            bar = _node(
                svg, "rect", class_=kind, x=_percent(slot * (index + gap)), width=_percent(slot * (1 - 2 * gap)),
                y=f"{y:.1f}", height=f"{PLOT_TOP + PLOT_HEIGHT - y:.1f}",
            )  # fmt: skip
            _node(bar, "title", f"{label}: {value:,} {self.unit}")
            if len(rows) <= 14:
                x = _percent(slot * (index + 0.5))
                _node(svg, "text", f"{value:,}", class_="chart-text", x=x, y=f"{y - 5:.1f}", text_anchor="middle")
        _labels(svg, labels)
        return _html(_axis(marks, self.unit), svg)


@dataclass(frozen=True, slots=True)
class Strips:
    """Percentiles per bucket over time: a mark at the median, a box up to the 85th and a line up to the 95th."""

    count: str
    median: str
    upper: str
    top: str
    title: str
    table: tuple[str, ...] = ()

    def legend(self, rows: Rows) -> list[tuple[str, str]]:
        return [
            ("key-median", "median"),
            ("key-box", "up to the 85th percentile"),
            ("key-line", "up to the 95th percentile"),
        ]

    def draw(self, rows: Rows, *, labels: Sequence[str], ident: str) -> SafeString:
        if not any(row[self.count] for row in rows):
            return SafeString()
        highest = max(row[self.top] for row in rows if row[self.count])
        marks = duration_ticks(highest)
        svg = _root(ident, self.title, self._description(rows, labels), height=CHART_HEIGHT)
        _grid(svg, marks)
        slot = 100 / max(1, len(rows))
        gap = 0.25 if len(rows) <= 60 else 0.1
        for index, (row, label) in enumerate(zip(rows, labels, strict=True)):
            if not row[self.count]:
                continue
            median, upper, top = (_y(row[name], marks[-1]) for name in (self.median, self.upper, self.top))
            left, wide = _percent(slot * (index + gap)), _percent(slot * (1 - 2 * gap))
            middle = _percent(slot * (index + 0.5))
            strip = _node(svg, "g")
            _node(strip, "title", self._words(row, label))
            _node(strip, "line", class_="chart-whisker", x1=middle, x2=middle, y1=f"{top:.1f}", y2=f"{median:.1f}")
            height = f"{median - upper:.1f}"
            _node(strip, "rect", class_="chart-box", x=left, width=wide, y=f"{upper:.1f}", height=height)
            _node(strip, "rect", class_="chart-median", x=left, width=wide, y=f"{median - 2:.1f}", height=4)
        _labels(svg, labels)
        return _html(_axis(marks, "seconds"), svg)

    def _words(self, row: dict[str, Any], label: str) -> str:
        median, upper, top = (duration(row[name]) for name in (self.median, self.upper, self.top))
        tasks = f"{row[self.count]:,} task{'' if row[self.count] == 1 else 's'}"
        return f"{label}: median {median}, 85th percentile {upper}, 95th percentile {top} ({tasks})"

    def _description(self, rows: Rows, labels: Sequence[str]) -> str:
        filled = [(row, label) for row, label in zip(rows, labels, strict=True) if row[self.count]]
        first, last = self._words(*filled[0]), self._words(*filled[-1])
        return f"From {first} to {last}." if len(filled) > 1 else f"{first}."


@dataclass(frozen=True, slots=True)
class Bars:
    """One horizontal bar per row, longest first: how ``value`` is distributed, with the ``share`` in percent."""

    label: str
    value: str
    share: str
    title: str
    unit: str = "tasks"
    table: tuple[str, ...] = ()

    def legend(self, rows: Rows) -> list[tuple[str, str]]:
        return []

    def draw(self, rows: Rows, *, labels: Sequence[str], ident: str) -> SafeString:
        # The labels here are rows, not buckets: ``labels`` is for charts over time.
        shown = sorted((row for row in rows if row[self.value]), key=lambda row: -row[self.value])[:MAX_BARS]
        if not shown:
            return SafeString()
        left_out = sum(1 for row in rows if row[self.value]) - len(shown)
        longest = shown[0][self.value]
        step, more = 40, 22 if left_out else 0
        description = "; ".join(f"{row[self.label]}: {self._words(row)}" for row in shown[:5])
        svg = _root(ident, self.title, f"{description}.", height=step * len(shown) + more)
        for index, row in enumerate(shown):
            y = step * index
            name = row[self.label] if len(row[self.label]) <= 24 else f"{row[self.label][:23]}…"
            _node(svg, "text", name, class_="chart-text chart-name", x="0%", y=y + 14)
            _node(svg, "text", self._words(row), class_="chart-text", x="100%", y=y + 14, text_anchor="end")
            _node(svg, "rect", class_="chart-track", x="0%", width="100%", y=y + 20, height=12, rx=3)
            kind = "chart-value" if row.get("agent") else "chart-value chart-partial"
            bar = _node(
                svg, "rect", class_=kind, x="0%", width=_percent(100 * row[self.value] / longest), y=y + 20,
                height=12, rx=3,
            )  # fmt: skip
            _node(bar, "title", f"{row[self.label]}: {self._words(row)}")
        if left_out:
            words = f"and {left_out:,} more, in the table below"
            _node(svg, "text", words, class_="chart-text", x="0%", y=step * len(shown) + 14)
        return _html(svg)

    def _words(self, row: dict[str, Any]) -> str:
        share = f" · {figure(row[self.share], 'percent')}" if row[self.share] is not None else ""
        return f"{row[self.value]:,} {self.unit}{share}"


Chart = Columns | Strips | Bars
