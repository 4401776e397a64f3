"""Histogram: how many things lie between which bounds."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from reports.charts.frame import Frame, Slots
from reports.charts.marks import Href, Row, area
from reports.charts.scales import named, number, said, scale
from reports.charts.svg import node, percent, pixels


@dataclass(frozen=True, slots=True)
class Histogram:
    """A bar per row: how many (``value``) lie from ``lower`` up to, but not including, ``upper``.

    The rows ascend and are drawn equally wide; an ``upper`` of None is open. ``lines`` are columns of the total, each
    with its label: percentiles, drawn upwards where they lie.
    """

    lower: str
    upper: str
    value: str
    title: str
    unit: str = "tasks"
    of: str = "seconds"
    lines: tuple[tuple[str, str], ...] = ()
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        return []

    def bounds(self, row: Row) -> str:
        """What lies in the bin of ``row``: ``1 h to 2 h``, ``8 h and more``."""
        if row.get(self.upper) is None:
            return f"{said(row[self.lower], self.of)} and more"
        return f"{said(row[self.lower], self.of)} to {said(row[self.upper], self.of)}"

    def draw(
        self,
        rows: Sequence[Row],
        *,
        labels: Sequence[str],
        ident: str,
        href: Href | None = None,
        total: Row | None = None,
        small: bool = False,
    ) -> SafeString:
        # ``labels`` is for charts over time; the rows here have bounds.
        values = [number(row.get(self.value)) or 0 for row in rows]
        if not any(values):
            return SafeString()
        rules = named(self.lines, total)
        fullest = rows[values.index(max(values))]
        description = f"{said(sum(values), self.unit)}, most of them {self.bounds(fullest)} ({said(max(values), '')})"
        description += "".join(f"; {label} {said(line, self.of)}" for label, line in rules)
        frame = Frame(ident, self.title, f"{description}.", scale(values, self.unit), small)
        slots, texts = Slots(len(rows)), []
        for index, (row, value) in enumerate(zip(rows, values, strict=True)):
            if not value:
                continue
            y = frame.y(value)
            node(
                frame.shapes, "rect", class_="chart-value chart-bin", x=percent(slots.wide * index), y=pixels(y),
                width=percent(slots.wide), height=pixels(max(1, frame.bottom - y)),
            )  # fmt: skip
            texts.append((said(value, ""), slots.middle(index), y - 5))
            link = href and href(row, self.value)
            mark = frame.mark(slots.middle(index), y, (self.bounds(row), said(row[self.value], self.unit)), link)
            if mark is not None:
                area(mark, x=slots.wide * index, wide=slots.wide, top=y, high=frame.bottom - y)
        if not rules:
            frame.values(texts, slots=slots)
        places = ((f"{label} {said(line, self.of)}", self._place(rows, slots, line)) for label, line in rules)
        frame.uprights((text, x) for text, x in places if x is not None)
        # Named at their lower bounds, which is where the bars meet.
        frame.labels([said(row[self.lower], self.of) for row in rows], [slots.wide * i for i in range(len(rows))])
        return frame.html()

    def _place(self, rows: Sequence[Row], slots: Slots, value: float) -> float | None:
        """Where ``value`` lies on the axis in percent; None if in no row."""
        for index, row in enumerate(rows):
            lower, upper = float(row[self.lower]), number(row.get(self.upper))
            if lower <= value and (upper is None or value < upper):
                share = 0.5 if upper is None else (value - lower) / (upper - lower)
                return slots.wide * (index + share)
        return None
