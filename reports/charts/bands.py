"""Bands: what is likely to come, as surfaces around the middle."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from reports.charts.frame import Frame, Slots, path, runs, stretched
from reports.charts.marks import Href, Row, spot
from reports.charts.scales import number, said, scale
from reports.charts.svg import node


@dataclass(frozen=True, slots=True)
class Bands:
    """A line through ``middle`` with a surface per pair of ``bands``, the widest first.

    Each band is (lower column, upper column, label). ``known`` is the column of what has happened already, a solid
    line; rows may have either.
    """

    middle: str
    bands: tuple[tuple[str, str, str], ...]
    title: str
    unit: str = "tasks"
    known: str = ""
    middle_label: str = "median"
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        keys = [("key-line-1", "so far")] if self.known else []
        keys.append(("key-line-2", self.middle_label))
        return keys + [(f"key-band-{index}", label) for index, (*_, label) in enumerate(self.bands, start=1)]

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
        columns = [self.middle, *([self.known] if self.known else [])]
        columns += [column for lower, upper, _ in self.bands for column in (lower, upper)]
        values = [number(row.get(column)) for row in rows for column in columns]
        if all(value is None for value in values):
            return SafeString()
        last = next((row for row in reversed(rows) if number(row.get(self.middle)) is not None), None)
        description = "No forecast." if last is None else f"In the end {', '.join(self._words(last))}."
        frame = Frame(ident, self.title, description, scale(values, self.unit), small)
        slots, lines = Slots(len(rows)), stretched(frame.shapes, frame.bottom)
        for index, (lower, upper, _) in enumerate(self.bands, start=1):
            edges = [
                [None if (value := number(row.get(column))) is None else (slots.middle(place), frame.y(value))
                 for place, row in enumerate(rows)]
                for column in (lower, upper)
            ]  # fmt: skip
            for below, above in zip(*map(runs, edges), strict=False):
                node(lines, "polygon", class_=f"chart-band band-{index}", points=path([*above, *reversed(below)]))
        for index, column in enumerate([self.known, self.middle], start=1):
            points = [
                None if (value := number(row.get(column))) is None else (slots.middle(place), frame.y(value))
                for place, row in enumerate(rows)
            ]
            for piece in runs(points):
                node(lines, "polyline", class_=f"chart-line series-{index}", points=path(piece))
            for row, label, point in zip(rows, labels, points, strict=True):
                if point is None:
                    continue
                words = (label, *self._words(row)) if column == self.middle else (label, said(row[column], self.unit))
                mark = frame.mark(*point, words, href and href(row, column))
                if mark is not None:
                    spot(mark, *point)
        frame.labels(labels)
        return frame.html()

    def _words(self, row: Row) -> list[str]:
        words = [f"{self.middle_label} {said(row[self.middle], self.unit)}"]
        for lower, upper, label in self.bands:
            if number(row.get(lower)) is not None and number(row.get(upper)) is not None:
                words.append(f"{label}: {said(row[lower], '')} to {said(row[upper], self.unit)}")
        return words
