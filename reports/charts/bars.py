"""Bars: how something is distributed over agents, projects or reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from reports.charts.frame import plot, root
from reports.charts.marks import Href, Row, area, isolated, mark, sentence
from reports.charts.scales import number, said
from reports.charts.series import Series, checked, key, legend_of, pattern_of, patterns
from reports.charts.svg import Element, node, percent, pixels
from reports.charts.tiers import per_tier
from reports.charts.widths import fitted, width
from reports.formats import figure

MAX_BARS = 15
STEP, BAR_TOP, BAR_HEIGHT = 40, 20, 12
SMALL_BARS = 3


def _texts(svg: Element, name: str, figures: str, y: float) -> None:
    """``name`` on the left, cut so that it leaves ``figures`` on the right their room; they come first."""

    def cut(pixels: float) -> tuple[str, str]:
        fits = fitted(figures, pixels)
        return fitted(name, pixels - width(fits) - 12, bold=True), fits

    for (left, right), kind in per_tier(cut):
        group = node(svg, "g", class_=kind or None, aria_hidden="true")
        node(group, "text", left, class_="chart-text chart-name", x=0, y=pixels(y))
        node(group, "text", right, class_="chart-text", x="100%", y=pixels(y), text_anchor="end")


def _more(svg: Element, left_out: int, y: float) -> None:
    if left_out:
        node(svg, "text", f"and {left_out:,} more, in the table", class_="chart-text", x=0, y=pixels(y))


def _height(bars: int, *, has_more: bool) -> int:
    return STEP * bars + (22 if has_more else 0)


@dataclass(frozen=True, slots=True)
class Bars:
    """One horizontal bar per row, longest first: the figure in ``value``, with the ``share`` in percent.

    A row whose column ``of`` is empty (such as "Nobody") is no thing of its own and is drawn paler.
    """

    label: str
    value: str
    title: str
    share: str = ""
    unit: str = "tasks"
    of: str = ""
    table: tuple[str, ...] = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        return []

    def _figures(self, row: Row) -> str:
        share = row.get(self.share) if self.share else None
        return said(row[self.value], self.unit) + (f" · {figure(share, 'percent')}" if share is not None else "")

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
        filled = sorted((row for row in rows if (number(row.get(self.value)) or 0) > 0), key=lambda r: -r[self.value])
        drawn = filled[: SMALL_BARS if small else MAX_BARS]
        if not drawn:
            return SafeString()
        left_out = 0 if small else len(filled) - len(drawn)
        description = "; ".join(f"{isolated(str(row[self.label]))}: {self._figures(row)}" for row in drawn[:5])
        height = _height(len(drawn), has_more=left_out > 0)
        svg = root(ident, self.title, f"{description}.", height=height, is_group=not small)
        marks = Element("g")
        for index, row in enumerate(drawn):
            self._bar(svg, marks, row, y=STEP * index, share=float(row[self.value] / drawn[0][self.value]), href=href)
        _more(svg, left_out, STEP * len(drawn) + 14)
        if not small:
            svg.append(marks)
        return plot(svg)

    def _bar(self, svg: Element, marks: Element, row: Row, *, y: float, share: float, href: Href | None) -> None:
        name = str(row[self.label])
        _texts(svg, name, self._figures(row), y + 14)
        place = {"x": 0, "y": y + BAR_TOP, "height": BAR_HEIGHT, "rx": 3}
        node(svg, "rect", class_="chart-track", width="100%", **place)
        kind = "chart-value chart-partial" if self.of and not row.get(self.of) else "chart-value"
        node(svg, "rect", class_=kind, width=percent(100 * share), **place)
        made = mark(marks, 0, y + BAR_TOP, (name, self._figures(row)), href and href(row, self.value))
        area(made, x=0, wide=100, top=y, high=STEP - 4)


@dataclass(frozen=True, slots=True)
class StackedBars:
    """One horizontal bar per row, longest first, of the parts that ``series`` name."""

    label: str
    series: tuple[Series, ...]
    title: str
    unit: str = "tasks"
    table: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked(self.series)

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        return legend_of(self.series)

    def _sum(self, row: Row) -> float:
        return sum(max(0.0, each.value(row) or 0) for each in self.series)

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
        filled = sorted((row for row in rows if self._sum(row)), key=lambda row: -self._sum(row))
        drawn = filled[: SMALL_BARS if small else MAX_BARS]
        if not drawn:
            return SafeString()
        left_out = 0 if small else len(filled) - len(drawn)
        parts = "; ".join(
            sentence((str(row[self.label]), said(self._sum(row), self.unit))) for row in drawn[:5]
        )  # fmt: skip
        height = _height(len(drawn), has_more=left_out > 0)
        svg = root(ident, self.title, f"{parts}.", height=height, is_group=not small)
        patterns(svg, ident, len(self.series))
        marks = Element("g")
        longest = self._sum(drawn[0])
        for place, row in enumerate(drawn):
            name, y = str(row[self.label]), STEP * place
            _texts(svg, name, said(self._sum(row), self.unit), y + 14)
            node(svg, "rect", class_="chart-track", x=0, width="100%", y=y + BAR_TOP, height=BAR_HEIGHT)
            x = 0.0
            for index, each in enumerate(self.series):
                if not (value := max(0.0, each.value(row) or 0)):
                    continue
                wide = 100 * value / longest
                box = {"x": percent(x), "width": percent(wide), "y": y + BAR_TOP, "height": BAR_HEIGHT}
                node(svg, "rect", class_=f"chart-surface {key(index)}", **box)
                if pattern := pattern_of(ident, index):
                    node(svg, "rect", fill=pattern, **box)
                words = (name, f"{each.label}: {said(row[each.column], self.unit)}")
                made = mark(marks, x + wide / 2, y + BAR_TOP, words, href and href(row, each.column))
                area(made, x=x, wide=wide, top=y + BAR_TOP - 4, high=BAR_HEIGHT + 8)
                x += wide
        _more(svg, left_out, STEP * len(drawn) + 14)
        if not small:
            svg.append(marks)
        return plot(svg)
