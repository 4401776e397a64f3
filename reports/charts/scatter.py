"""Scatter: a dot per thing, by time or by kind, with percentiles as lines across."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils.safestring import SafeString

from reports.charts.frame import Frame, Slots
from reports.charts.marks import Href, Row, spot
from reports.charts.scales import named, number, said, scale
from reports.charts.svg import node, percent, pixels

#: Up to so many dots each is drawn for itself; beyond, one for all that share a field of the grid.
MAX_DOTS = 1_500
FIELDS_ACROSS, FIELDS_UP = 64, 24


def _named(moments: Sequence[datetime], span: timedelta) -> list[str]:
    """The moments as an axis has them: no more exactly than needed for neighbours to differ."""
    is_one_day = len({moment.date() for moment in moments}) == 1
    forms: list[Callable[[datetime], str]] = [
        lambda at: f"{at.day} {at:%b}",
        lambda at: f"{at:%H:%M}" if is_one_day else f"{at.day} {at:%b}, {at:%H:%M}",
        lambda at: f"{at:%H:%M:%S}" if is_one_day else f"{at.day} {at:%b}, {at:%H:%M:%S}",
    ]
    if span > timedelta(days=366):
        forms.insert(0, lambda at: f"{at:%b %Y}")
    for form in forms:
        texts = [form(moment) for moment in moments]
        if all(text != following for text, following in pairwise(texts)):
            break
    return texts


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    value: float
    row: Row


@dataclass(frozen=True, slots=True)
class Scatter:
    """A dot per row: upwards the figure in ``value``, along the axis ``at``.

    ``at`` has times in the reader's zone, or texts such as a status, whose dots stand side by side in a column of their
    own. ``name`` is the column that says what the dot is. ``lines`` are columns of the total, each with its label,
    drawn across. With more than ``MAX_DOTS`` rows, dots close to each other become one, as large as they are many.
    """

    at: str
    value: str
    name: str
    title: str
    unit: str = "seconds"
    facts: str = "tasks"
    lines: tuple[tuple[str, str], ...] = ()
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        if len(rows) <= MAX_DOTS:
            return []
        return [("key-dots", f"{len(rows):,} {self.facts}: those close to each other are one dot, larger for more")]

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
        known = [row for row in rows if number(row.get(self.value)) is not None and row.get(self.at) is not None]
        if not known:
            return SafeString()
        rules = named(self.lines, total)
        values = [row[self.value] for row in known]
        axis = scale([*values, *(line for _, line in rules)], self.unit)
        frame = Frame(ident, self.title, self._description(values, rules), axis, small)
        over_time = isinstance(known[0][self.at], datetime)
        dots = self._over_time(frame, known) if over_time else self._by_kind(frame, known)
        frame.rules((f"{label}: {said(line, self.unit)}", line) for label, line in rules)
        if len(dots) > MAX_DOTS:
            self._draw_fields(frame, dots)
        else:
            self._draw_dots(frame, dots, href)
        return frame.html()

    def _description(self, values: Sequence[Any], rules: Iterable[tuple[str, float]]) -> str:
        low, high = said(min(values), self.unit), said(max(values), self.unit)
        words = [said(len(values), self.facts), f"from {low} to {high}"]
        words += [f"{label} {said(line, self.unit)}" for label, line in rules]
        return f"{', '.join(words)}."

    def _over_time(self, frame: Frame, rows: Sequence[Row]) -> list[_Dot]:
        first, last = min(row[self.at] for row in rows), max(row[self.at] for row in rows)
        span = (last - first) or timedelta(seconds=1)
        # A little space at the sides, so that no dot is cut in half.
        dots = [_Dot(2 + 96 * ((row[self.at] - first) / span), float(row[self.value]), row) for row in rows]
        count = 12 if last > first else 1
        places = [2 + 96 * index / max(1, count - 1) for index in range(count)]
        texts = _named([first + span * ((place - 2) / 96) for place in places], span)
        # Less than a second from one to the next, or clocks that are put back: each text once.
        kept = [index for index, text in enumerate(texts) if not index or text != texts[index - 1]]
        frame.labels([texts[index] for index in kept], [places[index] for index in kept])
        return dots

    def _by_kind(self, frame: Frame, rows: Sequence[Row]) -> list[_Dot]:
        kinds: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            kinds[str(row[self.at])].append(row)
        slots = Slots(len(kinds))
        dots = []
        for place, of_kind in enumerate(kinds.values()):
            for index, row in enumerate(sorted(of_kind, key=lambda row: row[self.value])):
                # Spread by the golden ratio: neighbours in height are far apart, the same each time.
                offset = (index * 0.618034) % 1 - 0.5
                dots.append(_Dot(slots.middle(place) + slots.wide * 0.7 * offset, float(row[self.value]), row))
        frame.labels(list(kinds))
        return dots

    def _words(self, row: Row) -> tuple[str, ...]:
        at = row[self.at]
        when = f"{at.day} {at:%b %Y, %H:%M}" if isinstance(at, datetime) else str(at)
        return (str(row.get(self.name, "")), said(row[self.value], self.unit), when)

    def _draw_dots(self, frame: Frame, dots: Sequence[_Dot], href: Href | None) -> None:
        for dot in dots:
            y = frame.y(dot.value)
            radius = 2 if frame.small else 3.5
            node(frame.shapes, "circle", class_="chart-dot", cx=percent(dot.x), cy=pixels(y), r=radius)
            mark = frame.mark(dot.x, y, self._words(dot.row), href and href(dot.row, self.value))
            if mark is not None:
                spot(mark, dot.x, y, radius=7)

    def _draw_fields(self, frame: Frame, dots: Sequence[_Dot]) -> None:
        fields: dict[tuple[int, int], list[_Dot]] = defaultdict(list)
        for dot in dots:
            across = min(FIELDS_ACROSS - 1, int(dot.x / 100 * FIELDS_ACROSS))
            fields[across, int(frame.scale.share(dot.value) * (FIELDS_UP - 1))].append(dot)
        most = max(map(len, fields.values()))
        for together in fields.values():
            x = sum(dot.x for dot in together) / len(together)
            y = frame.y(sum(dot.value for dot in together) / len(together))
            radius = 1.5 + 3.5 * math.sqrt(len(together) / most)
            node(frame.shapes, "circle", class_="chart-dot", cx=percent(x), cy=pixels(y), r=f"{radius:.1f}")
            low, high = (said(pick(dot.value for dot in together), self.unit) for pick in (min, max))
            spans = low if low == high else f"{low} to {high}"
            mark = frame.mark(x, y, (said(len(together), self.facts), spans), None)
            if mark is not None:
                spot(mark, x, y, radius=5)
