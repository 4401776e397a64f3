"""Strips: percentiles of durations over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from reports.charts.frame import Frame, Slots
from reports.charts.marks import Href, Row, area, sentence
from reports.charts.scales import number, said, scale
from reports.charts.svg import node, percent, pixels

#: From how many facts a percentile means something: one of the values lies beyond it on average.
NEEDS_P85, NEEDS_P95 = 7, 20


@dataclass(frozen=True, slots=True)
class Strips:
    """Percentiles per row: a mark at the median, a box up to the 85th, a line up to the 95th.

    Percentiles of fewer facts than they need (the column ``count`` has how many there are) are drawn dashed.
    """

    count: str
    median: str
    upper: str
    top: str
    title: str
    unit: str = "seconds"
    facts: str = "tasks"
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        keys = [
            ("key-median", "median"),
            ("key-box", "up to the 85th percentile"),
            ("key-line", "up to the 95th percentile"),
        ]
        if any(0 < row[self.count] < NEEDS_P95 for row in rows if row.get(self.count)):
            keys.append(("key-thin", f"from fewer than {NEEDS_P85} (85th) or {NEEDS_P95} (95th) {self.facts}"))
        return keys

    def _words(self, row: Row, label: str) -> tuple[str, ...]:
        names = (("median", self.median), ("85th percentile", self.upper), ("95th percentile", self.top))
        figures = (f"{name} {said(row[column], self.unit)}" for name, column in names)
        return (label, *figures, said(row[self.count], self.facts))

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
        filled = [
            (index, row, labels[index])
            for index, row in enumerate(rows)
            if row.get(self.count)
            and all(number(row.get(column)) is not None for column in (self.median, self.upper, self.top))
        ]
        if not filled:
            return SafeString()
        sentences = [sentence(self._words(row, label)) for _, row, label in (filled[0], filled[-1])]
        description = f"From {sentences[0]} to {sentences[1]}." if len(filled) > 1 else f"{sentences[0]}."
        axis = scale((row[self.top] for _, row, _ in filled), self.unit)
        frame = Frame(ident, self.title, description, axis, small)
        slots = Slots(len(rows))
        for index, row, label in filled:
            self._strip(frame, slots, index, row)
            top = frame.y(row[self.top])
            link = href and href(row, self.median)
            mark = frame.mark(slots.middle(index), top, self._words(row, label), link)
            if mark is not None:
                area(mark, x=slots.wide * index, wide=slots.wide, top=top, high=frame.bottom - top)
        frame.labels(labels)
        return frame.html()

    def _strip(self, frame: Frame, slots: Slots, index: int, row: Row) -> None:
        median, upper, top = (frame.y(row[name]) for name in (self.median, self.upper, self.top))
        gap = 0.25 if slots.count <= 60 else 0.1
        left, wide = percent(slots.wide * (index + gap)), percent(slots.wide * (1 - 2 * gap))
        middle = percent(slots.middle(index))
        thin_box = " chart-thin" if row[self.count] < NEEDS_P85 else ""
        thin_line = " chart-thin" if row[self.count] < NEEDS_P95 else ""
        ends = {"y1": pixels(top), "y2": pixels(upper)}
        node(frame.shapes, "line", class_=f"chart-whisker{thin_line}", x1=middle, x2=middle, **ends)
        box = {"x": left, "width": wide}
        high = pixels(max(0, median - upper))
        node(frame.shapes, "rect", class_=f"chart-box{thin_box}", y=pixels(upper), height=high, **box)
        node(frame.shapes, "rect", class_="chart-median", y=pixels(median - 2), height=4, **box)
