"""Charts as SVG, drawn on the server: no scripts, no inline styles, and readable without either.

A chart is a small declaration that names columns of a result. ``draw`` makes the drawing, or nothing where there is
nothing to draw; ``legend`` gives the keys (a class of ``reports.css`` and words) that stand below it; ``table`` lists
the columns of the table that shows the same figures, where empty means all. Colours, also those of dark mode and of
print, come from ``reports.css`` by class.
"""

from collections.abc import Sequence
from typing import Protocol

from django.utils.safestring import SafeString

from reports.charts.bands import Bands
from reports.charts.bars import Bars, StackedBars
from reports.charts.columns import Columns, GroupedColumns, StackedColumns
from reports.charts.heat_map import HeatMap
from reports.charts.histogram import Histogram
from reports.charts.lines import Lines, StackedArea
from reports.charts.marks import Href, Row
from reports.charts.pivot import Pivot, pivoted
from reports.charts.scatter import Scatter
from reports.charts.series import Series
from reports.charts.strips import Strips

__all__ = [
    "Bands",
    "Bars",
    "Chart",
    "Columns",
    "GroupedColumns",
    "HeatMap",
    "Histogram",
    "Href",
    "Lines",
    "Pivot",
    "Row",
    "Scatter",
    "Series",
    "StackedArea",
    "StackedBars",
    "StackedColumns",
    "Strips",
    "pivoted",
]


class Chart(Protocol):
    """What a report shows of its rows."""

    @property
    def title(self) -> str: ...

    @property
    def table(self) -> tuple[str, ...]: ...

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """The keys of what is drawn: (class, words); none where it explains itself."""
        ...

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
        """The drawing of ``rows``; empty if there is nothing to draw.

        ``labels``: the name of each row, for charts over time (others may be given none). ``ident``: unique in the
        page. ``href``: where the mark of a figure leads. ``total``: the figures over all rows, for lines across.
        ``small``: a picture without figures and links, for an overview.
        """
        ...
