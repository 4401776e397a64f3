"""Columns: bars upwards over time, of one series, or of several beside or upon each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from reports.charts.frame import Frame, Slots
from reports.charts.marks import Href, Row, area
from reports.charts.scales import number, said, scale
from reports.charts.series import OfSeries, key, pattern_of, patterns
from reports.charts.svg import node, percent, pixels

PARTIAL = ("key-partial", "partial: cut off by the dates, or not over yet")


def _is_partial(row: Row) -> bool:
    return bool(row.get("is_partial"))


def total_of(values: Sequence[float | None], unit: str) -> str:
    return said(sum(value or 0 for value in values), unit)


@dataclass(frozen=True, slots=True)
class Columns:
    """One bar per row: the figure in the column ``value``, upwards or, below zero, downwards."""

    value: str
    title: str
    unit: str = "tasks"
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        if not any(_is_partial(row) and number(row.get(self.value)) for row in rows):
            return []
        return [("key-value", "a whole period"), PARTIAL]

    def _description(self, values: Sequence[float | None], labels: Sequence[str]) -> str:
        text = f"{total_of(values, self.unit)} in {len(values)} periods"
        known = [value or 0 for value in values]
        if not any(known):
            return f"{text}."
        most = max(known)
        return f"{text}, most in {labels[known.index(most)]} ({said(most, '')})."

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
        values = [number(row.get(self.value)) for row in rows]
        frame = Frame(ident, self.title, self._description(values, labels), scale(values, self.unit), small)
        slots, texts = Slots(len(rows)), []
        for index, (row, value, label) in enumerate(zip(rows, values, labels, strict=True)):
            if not value:
                continue
            (x, wide), y, base = slots.bar(index), frame.y(value), frame.y(0)
            kind = "chart-value chart-partial" if _is_partial(row) else "chart-value"
            node(
                frame.shapes, "rect", class_=kind, x=percent(x), width=percent(wide), y=pixels(min(y, base)),
                height=pixels(max(1, abs(base - y))),
            )  # fmt: skip
            texts.append((said(value, ""), slots.middle(index), y - 5 if value > 0 else y + 13))
            words = (label, said(row[self.value], self.unit), *(["partial"] if _is_partial(row) else []))
            mark = frame.mark(slots.middle(index), min(y, base), words, href and href(row, self.value))
            if mark is not None:
                area(mark, x=slots.wide * index, wide=slots.wide, top=min(y, base), high=abs(base - y))
        frame.values(texts, slots=slots)
        frame.labels(labels)
        return frame.html()


class _SeveralColumns(OfSeries):
    """What grouped and stacked columns have in common."""

    __slots__ = ()

    def _description(self, rows: Sequence[Row]) -> str:
        totals = (
            f"{each.label}: {total_of([each.value(row) for row in rows], self.unit)}" for each in self.series
        )  # fmt: skip
        return f"{len(rows)} periods. {'; '.join(totals)}."

    def _bar(
        self, frame: Frame, index: int, row: Row, label: str, *, x: float, wide: float, ends: tuple[float, float],
        link: str | None,
    ) -> None:  # fmt: skip
        """The bar of one series in one row, between two heights."""
        each = self.series[index]
        top, high = min(ends), max(1.0, abs(ends[0] - ends[1]))
        place = {"x": percent(x), "width": percent(wide), "y": pixels(top), "height": pixels(high)}
        kind = f"chart-surface {key(index)}{' chart-partial' if _is_partial(row) else ''}"
        node(frame.shapes, "rect", class_=kind, **place)
        if pattern := pattern_of(frame.ident, index):
            node(frame.shapes, "rect", fill=pattern, **place)
        words = (label, f"{each.label}: {said(row[each.column], self.unit)}")
        mark = frame.mark(x + wide / 2, top, words, link)
        if mark is not None:
            area(mark, x=x, wide=wide, top=top, high=high)


class GroupedColumns(_SeveralColumns):
    """Bars beside each other, one per series, for each row."""

    __slots__ = ()

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
        known = [each.value(row) for row in rows for each in self.series]
        frame = Frame(ident, self.title, self._description(rows), scale(known, self.unit), small)
        patterns(frame.svg, ident, len(self.series))
        slots = Slots(len(rows))
        for position, (row, label) in enumerate(zip(rows, labels, strict=True)):
            for index, each in enumerate(self.series):
                if not (value := each.value(row)):
                    continue
                x, wide = slots.bar(position, index, len(self.series))
                link = href and href(row, each.column)
                self._bar(
                    frame, index, row, label, x=x, wide=wide, ends=(frame.y(0), frame.y(value)), link=link or None
                )
        frame.labels(labels)
        return frame.html()


class StackedColumns(_SeveralColumns):
    """Bars upon each other, one per series, for each row; those below zero go downwards."""

    __slots__ = ()

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
        by_row = [[each.value(row) or 0 for each in self.series] for row in rows]
        ends = [sum(value for value in values if (value > 0) is up) for values in by_row for up in (True, False)]
        frame = Frame(ident, self.title, self._description(rows), scale(ends, self.unit), small)
        patterns(frame.svg, ident, len(self.series))
        slots = Slots(len(rows))
        for position, (row, label) in enumerate(zip(rows, labels, strict=True)):
            reached = {True: 0.0, False: 0.0}
            x, wide = slots.bar(position)
            for index, each in enumerate(self.series):
                if not (value := each.value(row)):
                    continue
                begins = reached[value > 0]
                reached[value > 0] = begins + value
                link = href and href(row, each.column)
                heights = (frame.y(begins), frame.y(begins + value))
                self._bar(frame, index, row, label, x=x, wide=wide, ends=heights, link=link or None)
        frame.labels(labels)
        return frame.html()
