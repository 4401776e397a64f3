"""The frame of a chart with an axis upwards: grid, figures, names below, and layers to draw in.

Positions along the fluid axis are percentages and everything else is in pixels, so a chart fills any width while its
texts keep their size. What is drawn lies below what can be pointed at, and so a tooltip lies above all of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.safestring import SafeString

from reports.charts import svg as drawing
from reports.charts.marks import mark
from reports.charts.scales import Scale
from reports.charts.svg import Element, node, percent, pixels
from reports.charts.tiers import first_tier, kept, per_tier, shown, thinned
from reports.charts.widths import fitted, width

PLOT_TOP, PLOT_HEIGHT, LABELS_HEIGHT = 22, 170, 26
SMALL_TOP, SMALL_HEIGHT = 4, 56
AXIS_WIDTH = 40
MAX_VALUES = 31


def root(ident: str, title: str, description: str, *, height: float, is_group: bool) -> Element:
    """A drawing with its title and description; an image, unless what is in it can be tabbed to."""
    svg = node(
        None, "svg", class_="chart", width="100%", height=pixels(height), role="group" if is_group else "img",
        aria_labelledby=f"{ident}-title", aria_describedby=f"{ident}-desc",
    )  # fmt: skip
    node(svg, "title", title, id=f"{ident}-title")
    node(svg, "desc", description, id=f"{ident}-desc")
    return svg


def plot(svg: Element, axis: Element | None = None) -> SafeString:
    """``svg`` in the box by whose width it hides texts, with its axis on the left."""
    box = node(None, "div", class_="chart-plot")
    box.append(svg)
    return drawing.html(*([] if axis is None else [axis]), box)


@dataclass(frozen=True, slots=True)
class Slots:
    """The equal parts of the fluid axis, one for each of ``count`` things, in percent."""

    count: int

    @property
    def wide(self) -> float:
        return 100 / max(1, self.count)

    def middle(self, index: int) -> float:
        return self.wide * (index + 0.5)

    def bar(self, index: int, part: int = 0, parts: int = 1) -> tuple[float, float]:
        """From where a bar goes and how wide it is, being one of ``parts`` in its slot."""
        gap = 0.15 if self.count <= 60 else 0.04
        each = self.wide * (1 - 2 * gap) / parts
        return self.wide * (index + gap) + each * part, each


@dataclass(slots=True)
class Frame:
    """A chart being drawn. ``small``: a picture without axis and marks, for an overview."""

    ident: str
    title: str
    description: str
    scale: Scale
    small: bool = False
    has_labels: bool = True
    svg: Element = field(init=False)
    shapes: Element = field(init=False)
    texts: Element = field(init=False)
    marks: Element = field(init=False)

    def __post_init__(self) -> None:
        height = self.bottom + (LABELS_HEIGHT if self.has_labels and not self.small else 6)
        self.svg = root(self.ident, self.title, self.description, height=height, is_group=not self.small)
        self._grid()
        self.shapes = node(self.svg, "g", aria_hidden="true")
        self.texts = node(self.svg, "g", aria_hidden="true")
        self.marks = node(self.svg, "g")

    @property
    def top(self) -> int:
        return SMALL_TOP if self.small else PLOT_TOP

    @property
    def height(self) -> int:
        return SMALL_HEIGHT if self.small else PLOT_HEIGHT

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - self.scale.share(float(value)))

    def _grid(self) -> None:
        lines = node(self.svg, "g", aria_hidden="true")
        for value in (0,) if self.small else self.scale.marks:
            y = pixels(self.y(value))
            node(lines, "line", class_="chart-grid" if value else "chart-base", x1=0, x2="100%", y1=y, y2=y)

    def labels(self, texts: Sequence[str], places: Iterable[float] | None = None) -> None:
        """Names below the axis, as many as fit: of the slots, or of ``places`` in percent."""
        if self.small:
            return
        middles = Slots(len(texts)).middle
        named = list(zip(texts, places or map(middles, range(len(texts))), strict=True))
        y = self.bottom + LABELS_HEIGHT - 8
        for labels, kind in per_tier(lambda wide: thinned(named, wide)):
            group = node(self.texts, "g", class_=f"chart-labels {kind}".rstrip())
            for label in labels:
                node(group, "text", label.text, class_="chart-text", x=percent(label.x), y=y, text_anchor=label.anchor)

    def values(self, texts: Sequence[tuple[str, float, float]], *, slots: Slots) -> None:
        """Figures (text, x, y) in slots of their own, in tiers where all of them fit."""
        if self.small or not texts or slots.count > MAX_VALUES:
            return
        tier = first_tier(slots.count * (6 + max(width(text) for text, *_ in texts)))
        if tier is None:
            return
        group = node(self.texts, "g", class_=f"chart-values {shown(tier)}".rstrip())
        for text, x, y in texts:
            node(group, "text", text, class_="chart-text", x=percent(x), y=pixels(y), text_anchor="middle")

    def _rule_text(self, text: str, y: float) -> None:
        for cut, kind in per_tier(lambda wide: fitted(text, wide)):
            name = f"chart-text chart-rule-text {kind}".rstrip()
            node(self.texts, "text", cut, class_=name, x="100%", y=pixels(y - 4), text_anchor="end")

    def rules(self, named: Iterable[tuple[str, float]]) -> None:
        """Lines across the chart, each with its text above it unless it would meet that of the one below."""
        last = float("inf")
        for text, value in sorted(named, key=lambda pair: pair[1]):
            y = self.y(value)
            node(self.shapes, "line", class_="chart-rule", x1=0, x2="100%", y1=pixels(y), y2=pixels(y))
            if last - y >= 14 and not self.small:
                self._rule_text(text, y)
                last = y

    def uprights(self, named: Iterable[tuple[str, float]]) -> None:
        """Lines up the chart at places in percent, with their texts above: the first of those that would meet."""
        ascending = sorted(named, key=lambda pair: pair[1])
        for _, x in ascending:
            ends = {"y1": pixels(self.top - 4), "y2": pixels(self.bottom)}
            node(self.shapes, "line", class_="chart-rule", x1=percent(x), x2=percent(x), **ends)
        if self.small:
            return
        for labels, kind in per_tier(lambda wide: kept(ascending, wide)):
            group = node(self.texts, "g", class_=f"chart-labels {kind}".rstrip())
            for label in labels:
                node(
                    group, "text", label.text, class_="chart-text chart-rule-text", x=percent(label.x),
                    y=self.top - 8, text_anchor=label.anchor,
                )  # fmt: skip

    def mark(self, x: float, y: float, words: Sequence[str], link: str | None) -> Element | None:
        """A mark, or none in a small chart."""
        return None if self.small else mark(self.marks, x, y, words, link)

    def html(self) -> SafeString:
        return plot(self.svg, None if self.small else self._axis())

    def _axis(self) -> Element:
        """The figures beside the grid, in a separate drawing as wide as the widest of them."""
        texts = self.scale.texts
        wide = max(AXIS_WIDTH, 10 + max(map(width, texts)))
        axis = node(
            None, "svg", class_="chart-axis", width=pixels(wide), height=self.bottom + LABELS_HEIGHT,
            aria_hidden="true",
        )  # fmt: skip
        for value, text in zip(self.scale.marks, texts, strict=True):
            y = pixels(self.y(value) + 4)
            node(axis, "text", text, class_="chart-text", x=pixels(wide - 8), y=y, text_anchor="end")
        return axis


def stretched(parent: Element, height: float) -> Element:
    """A drawing for lines and surfaces, whose x goes from 0 to 1000 however wide the chart is."""
    return node(
        parent, "svg", x=0, y=0, width="100%", height=height, viewBox=f"0 0 1000 {height}",
        preserveAspectRatio="none", overflow="visible",
    )  # fmt: skip


def runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """``points`` cut where one is missing."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is not None:
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def path(points: Iterable[tuple[float, float]]) -> str:
    """``points`` (percent, pixels) as the attribute of a ``stretched`` line or surface."""
    return " ".join(f"{x * 10:.1f},{y:.1f}" for x, y in points)
