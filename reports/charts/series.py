"""Series: the columns of a chart with several, told apart by colour, by dash and marker or pattern, and by name.

The colours are those of Okabe and Ito (*Color Universal Design*, 2008) and Paul Tol (*Colour Schemes*, Technical Note
SRON/EPS/TN/09-002, 2021) that keep 3 : 1 to the background and stay apart under protanopia, deuteranopia and
tritanopia; ``test_palette`` recounts both for ``reports.css``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.marks import Row
from reports.charts.scales import number
from reports.charts.svg import Element, at, node

MAX_SERIES = 8
#: The outline of a point, a shape for each series, some 8 px wide around its middle.
MARKERS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", "M-3.5-3.5h7v7h-7z", "M0-4.5L4.5 3.5h-9z", "M0-5L5 0L0 5L-5 0z",
    "M0 4.5L4.5-3.5h-9z", "M-4.5-1.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z", "M-4-1.5h8v3h-8z", "M-1.5-4h3v8h-3z",
)  # fmt: skip
#: Lines over a surface, for each series after the first: as paths in a tile of 8 px.
PATTERNS = ("", "M0 8L8 0", "M0 0L8 8", "M4 0V8", "M0 4H8", "M0 4H8M4 0V8", "M0 8L8 0M0 0L8 8", "M0 2H8M0 6H8")


@dataclass(frozen=True, slots=True)
class Series:
    """One column of a chart with several. A figure from fewer than ``needs`` facts is drawn as uncertain.

    How many facts there are is in the row under ``<column>_n``.
    """

    column: str
    label: str
    needs: int = 0

    def value(self, row: Row) -> float | None:
        return number(row.get(self.column))

    def is_thin(self, row: Row) -> bool:
        """Whether the figure in ``row`` comes from too few facts."""
        n = row.get(f"{self.column}_n")
        return bool(self.needs) and isinstance(n, int) and n < self.needs


def checked(series: Sequence[Series]) -> Sequence[Series]:
    """``series``, of which nobody can tell more than eight apart. Raises ``ValueError``."""
    if not 1 <= len(series) <= MAX_SERIES:
        raise ValueError(f"A chart shows 1 to {MAX_SERIES} series, not {len(series)}.")
    return series


def key(index: int) -> str:
    return f"series-{index + 1}"


def legend_of(series: Sequence[Series]) -> list[tuple[str, str]]:
    """The key and the name of each series; a single one needs none."""
    return [(f"key-{key(index)}", one_of.label) for index, one_of in enumerate(series)] if len(series) > 1 else []


@dataclass(frozen=True, slots=True)
class OfSeries:
    """What charts over time have in common that show several series."""

    series: tuple[Series, ...]
    title: str
    unit: str = "tasks"
    table: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked(self.series)

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        return legend_of(self.series)


def marker(parent: Element, index: int, x: float, y: float, *, thin: bool = False) -> None:
    kind = f"chart-marker {key(index)}{' chart-thin' if thin else ''}"
    node(at(parent, x, y), "path", class_=kind, d=MARKERS[index])


def patterns(svg: Element, ident: str, count: int) -> None:
    """The patterns that surfaces of ``count`` series refer to by ``pattern_of``."""
    if count < 2:
        return
    defs = node(svg, "defs")
    for index in range(1, count):
        tile = node(defs, "pattern", id=f"{ident}-p{index}", width=8, height=8, patternUnits="userSpaceOnUse")
        node(tile, "path", class_="chart-pattern", d=PATTERNS[index])


def pattern_of(ident: str, index: int) -> str | None:
    """The ``fill`` that lays the pattern of a series over its surface; None for the first, which has none."""
    return f"url(#{ident}-p{index})" if index else None
