"""Heat map: a field per pair of names, darker for more."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from reports.charts.frame import LABELS_HEIGHT, Slots, plot, root
from reports.charts.marks import Href, Row, area, mark
from reports.charts.scales import number, said
from reports.charts.svg import Element, node, percent, pixels
from reports.charts.tiers import first_tier, per_tier, shown, thinned
from reports.charts.widths import fitted, width

#: How many shades there are; ``reports.css`` has ``heat-1`` (least) to ``heat-5``.
SHADES = 5
ROW_HEIGHT, NAME_WIDTH = 26, 130
MAX_ROWS = 40


def shade(value: float, most: float) -> int:
    """Which of the shades ``value`` has: 1 for the least above nothing, 5 for ``most``."""
    return max(1, min(SHADES, -int(-SHADES * value // most)))


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A field per row of the result: the figure ``value`` where the column ``x`` meets the row ``y``.

    Columns and rows stand in the order in which they come; ``xs`` and ``ys`` name them beforehand (all weekdays, all
    hours), so that empty ones have their place too.
    """

    x: str
    y: str
    value: str
    title: str
    unit: str = "tasks"
    xs: tuple[str, ...] = ()
    ys: tuple[str, ...] = ()
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        most = self._most(rows)
        if most <= 0:
            return []
        bounds = [most * step / SHADES for step in range(1, SHADES + 1)]
        return [(f"key-heat-{index}", f"up to {said(bound, '')}") for index, bound in enumerate(bounds, start=1)]

    def _most(self, rows: Sequence[Row]) -> float:
        return max((number(row.get(self.value)) or 0 for row in rows), default=0)

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
        # ``labels`` is for charts over time; the rows here have names of their own.
        most = self._most(rows)
        if most <= 0:
            return SafeString()
        across = list(dict.fromkeys([*self.xs, *(str(row[self.x]) for row in rows)]))
        down = list(dict.fromkeys([*self.ys, *(str(row[self.y]) for row in rows)]))
        left_out, down = len(down) - MAX_ROWS, down[:MAX_ROWS]
        high = 8 if small else ROW_HEIGHT
        fullest = max(rows, key=lambda row: number(row.get(self.value)) or 0)
        description = f"{len(across)} by {len(down)} fields, most in {fullest[self.x]}, {fullest[self.y]} "
        description += f"({said(fullest[self.value], self.unit)})."
        height = high * len(down) + (0 if small else LABELS_HEIGHT + (22 if left_out > 0 else 0))
        svg = root(ident, self.title, description, height=height, is_group=not small)
        marks, slots, texts = Element("g"), Slots(len(across)), []
        shapes = node(svg, "g", aria_hidden="true")
        for index in range(len(down)):
            node(shapes, "rect", class_="chart-track", x=0, width="100%", y=high * index + 1, height=high - 2)
        for row in rows:
            value = number(row.get(self.value)) or 0
            if value <= 0 or str(row[self.y]) not in down:
                continue
            x, y = slots.wide * across.index(str(row[self.x])), high * down.index(str(row[self.y]))
            depth, wide = shade(value, most), slots.wide
            place = {"x": percent(x), "width": percent(wide), "y": y + 1, "height": high - 2}
            node(shapes, "rect", class_=f"chart-heat heat-{depth}", **place)
            texts.append((said(value, ""), x + wide / 2, y + high / 2 + 4, depth))
            words = (f"{row[self.y]}, {row[self.x]}", said(row[self.value], self.unit))
            area(mark(marks, x + wide / 2, y, words, href and href(row, self.value)), x=x, wide=wide, top=y, high=high)
        if small:
            return plot(svg)
        self._texts(svg, texts, len(across))
        names = [(name, slots.middle(index)) for index, name in enumerate(across)]
        for placed, kind in per_tier(lambda wide: thinned(names, wide)):
            group = node(svg, "g", class_=f"chart-labels {kind}".rstrip(), aria_hidden="true")
            for label in placed:
                node(
                    group, "text", label.text, class_="chart-text", x=percent(label.x), text_anchor=label.anchor,
                    y=high * len(down) + LABELS_HEIGHT - 8,
                )  # fmt: skip
        if left_out > 0:
            words_left = f"and {left_out:,} more rows, in the table"
            node(svg, "text", words_left, class_="chart-text", x=0, y=height - 6)
        svg.append(marks)
        return plot(svg, self._names(down, height))

    @staticmethod
    def _texts(svg: Element, texts: Sequence[tuple[str, float, float, int]], count: int) -> None:
        """The figures in their fields, where all of them fit."""
        tier = first_tier(count * (8 + max(width(text) for text, *_ in texts)))
        if tier is None:
            return
        group = node(svg, "g", class_=f"chart-values {shown(tier)}".rstrip(), aria_hidden="true")
        for text, x, y, kind in texts:
            ink = f"chart-text on-heat-{kind}"
            node(group, "text", text, class_=ink, x=percent(x), y=pixels(y), text_anchor="middle")

    @staticmethod
    def _names(down: Sequence[str], height: float) -> Element:
        wide = min(NAME_WIDTH, 10 + max(width(name) for name in down))
        axis = node(None, "svg", class_="chart-axis", width=pixels(wide), height=pixels(height), aria_hidden="true")
        for place, name in enumerate(down):
            y = ROW_HEIGHT * place + ROW_HEIGHT / 2 + 4
            text = fitted(name, wide - 10)
            node(axis, "text", text, class_="chart-text", x=pixels(wide - 8), y=pixels(y), text_anchor="end")
        return axis
