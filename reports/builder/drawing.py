"""The chart of a definition's answer: of the kind that it asks for if its shape allows, else of one that fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from reports import charts
from reports.behind import href_of
from reports.charts import Href, Pivot, Series, pivoted
from reports.columns import Column
from reports.definitions import Definition, Measured
from reports.definitions.columns import PREVIOUS
from reports.formats import bucket_labels
from reports.report import Answer, Row

#: Between the names of a row that has several.
BETWEEN = " · "
#: Most series beside each other.
MOST_SERIES = 6


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart with its legend; ``svg`` is empty where there is nothing to draw. ``note``: what it leaves out."""

    title: str
    svg: SafeString
    legend: list[tuple[str, str]]
    note: str = ""


@dataclass(frozen=True)
class _Shape:
    """An answer as charts take it: names for people in ``_name``, ``_x`` and ``_y``, and n beside each figure."""

    definition: Definition
    is_over_time: bool
    columns: dict[str, Column]
    rows: list[Row]
    labels: list[str]
    href: Href

    @property
    def main(self) -> list[Column]:
        """The columns of the chosen figures in the unit of the first: one scale has one unit."""
        columns = [self.columns[measured.column] for measured in self.definition.measures]
        return [column for column in columns if column.unit == columns[0].unit]

    @property
    def title(self) -> str:
        return self.main[0].label if len(self.main) == 1 else ", ".join(column.label for column in self.main)

    @property
    def is_additive(self) -> bool:
        """Whether the figures of different rows can be put upon each other."""
        aggregates = {measured.column: measured.aggregate for measured in self.definition.measures}
        return all(aggregates[column.name] in ("count", "sum") for column in self.main)

    @property
    def percentiles(self) -> dict[str, Measured] | None:
        """Median, 85th and 95th percentile of the first measure, if all are there."""
        name = self.definition.measures[0].name
        known = {each.aggregate: each for each in self.definition.measures if each.name == name}
        return known if name is not None and {"p50", "p85", "p95"} <= known.keys() else None

    def series(self) -> tuple[Series, ...]:
        """One for each figure, and for each of the period before."""
        made = []
        for column in self.main:
            made.append(Series(column.name, column.label, column.needs if column.n else 0))
            if self.definition.compare:
                before = self.columns[f"{column.name}{PREVIOUS}"]
                made.append(Series(before.name, before.label, before.needs if before.n else 0))
        return tuple(made[:MOST_SERIES])


def drawing_of(given: Answer, *, ident: str) -> Drawing | None:
    """The chart of ``given``; None if its definition wants none, or has nothing to draw one of."""
    definition = given.definition
    assert definition is not None
    if definition.chart == "table" or not given.rows:
        return None
    shape = _shape(given, definition)
    kinds = list(dict.fromkeys([definition.chart or "", *_fitting(shape)]))
    for kind in kinds:
        make = MAKERS.get(kind)
        if make is None:
            continue
        drawing = make(shape, ident)
        if drawing is not None:
            wanted = definition.chart or kind
            note = "" if wanted == kind else f"These figures cannot be shown as {wanted.replace('_', ' ')}."
            return Drawing(drawing.title, drawing.svg, drawing.legend, " ".join(filter(None, (note, drawing.note))))
    return None


def name_of(given: Answer, row: Row, dimension: str) -> str:
    """What people read for the value of a dimension in a row."""
    value = row[dimension]
    return given.result.words.get(dimension, {}).get(value, value if value is not None else "None")


def _shape(given: Answer, definition: Definition) -> _Shape:
    columns = {column.name: column for column in given.columns}
    over_time = given.is_over_time
    # By instants: the two halves of an hour that comes twice have equal names.
    buckets = {row["starts_at"]: row["bucket"] for row in given.rows} if over_time else {}
    label_at = dict(zip(buckets, bucket_labels([*buckets.values()], given.period.size), strict=True))
    labels = [label_at[row["starts_at"]] for row in given.rows] if over_time else []
    rows = []
    for place, row in enumerate(given.rows):
        names = [name_of(given, row, dimension) for dimension in definition.by]
        x = labels[place] if over_time else names[-1] if names else ""
        y = BETWEEN.join(names if over_time else names[:-1])
        counts = {f"{name}_n": row.get(column.n) for name, column in columns.items() if column.n}
        rows.append(row | counts | {"_name": BETWEEN.join(names), "_x": x, "_y": y})
    return _Shape(definition, over_time, columns, rows, labels, href_of(given))


def _fitting(shape: _Shape) -> Sequence[str]:
    """The kinds of charts for a shape, the best first."""
    if shape.is_over_time:
        if shape.percentiles and not shape.definition.by and not shape.definition.compare:
            return ("strips", "lines")
        return ("columns", "lines") if shape.is_additive and not shape.definition.compare else ("lines",)
    return ("heat_map", "bars") if len(shape.definition.by) > 1 else ("bars",)


def _pivot(shape: _Shape) -> tuple[Pivot, str]:
    """Over time by something else: a series for each of the largest."""
    value = shape.main[0]
    pivot = pivoted(
        shape.rows, shape.labels, key="starts_at", by="_name", value=value.name, needs=value.needs if value.n else 0
    )
    note = (
        f"The chart has the {MOST_SERIES} largest; {pivot.left_out:,} more are in the table." if pivot.left_out else ""
    )
    return pivot, note


def _over_time(shape: _Shape, ident: str, single: Any, several: Any) -> Drawing | None:
    """``one`` draws a single series, ``several`` more; None if the rows have no time."""
    if not shape.is_over_time:
        return None
    value = shape.main[0]
    if shape.definition.by:
        pivot, note = _pivot(shape)
        chart = several(series=pivot.series, title=value.label, unit=value.unit)
        return Drawing(
            value.label,
            chart.draw(pivot.rows, labels=pivot.labels, ident=ident, href=pivot.href(shape.href)),
            chart.legend(pivot.rows),
            note,
        )
    series = shape.series()
    if len(series) == 1 and single is not None:
        chart = single(value=value.name, title=shape.title, unit=value.unit)
    else:
        chart = several(series=series, title=shape.title, unit=value.unit)
    return Drawing(
        shape.title, chart.draw(shape.rows, labels=shape.labels, ident=ident, href=shape.href), chart.legend(shape.rows)
    )


def _columns(shape: _Shape, ident: str) -> Drawing | None:
    is_stacked = shape.is_additive and bool(shape.definition.by)
    return _over_time(shape, ident, charts.Columns, charts.StackedColumns if is_stacked else charts.GroupedColumns)


def _lines(shape: _Shape, ident: str) -> Drawing | None:
    return _over_time(shape, ident, None, charts.Lines)


def _area(shape: _Shape, ident: str) -> Drawing | None:
    return _over_time(shape, ident, None, charts.StackedArea)


def _strips(shape: _Shape, ident: str) -> Drawing | None:
    known = shape.percentiles
    if known is None or not shape.is_over_time or shape.definition.by:
        return None
    column = shape.columns[known["p50"].column]
    title = column.label.rpartition(":")[0]
    chart = charts.Strips(
        count=str(column.n), median=column.name, upper=known["p85"].column, top=known["p95"].column, title=title,
        unit=column.unit, facts=shape.definition.facts,
    )  # fmt: skip
    return Drawing(
        title, chart.draw(shape.rows, labels=shape.labels, ident=ident, href=shape.href), chart.legend(shape.rows)
    )


def _bars(shape: _Shape, ident: str) -> Drawing | None:
    if shape.is_over_time or not shape.definition.by:
        return None
    value = shape.main[0]
    chart = charts.Bars(label="_name", value=value.name, title=value.label, unit=value.unit, of=shape.definition.by[0])
    return Drawing(
        value.label, chart.draw(shape.rows, labels=(), ident=ident, href=shape.href), chart.legend(shape.rows)
    )


def _heat_map(shape: _Shape, ident: str) -> Drawing | None:
    if len(shape.definition.by) + shape.is_over_time < 2:
        return None
    value = shape.main[0]
    chart = charts.HeatMap(x="_x", y="_y", value=value.name, title=value.label, unit=value.unit)
    return Drawing(
        value.label, chart.draw(shape.rows, labels=(), ident=ident, href=shape.href), chart.legend(shape.rows)
    )


MAKERS: dict[str, Callable[[_Shape, str], Drawing | None]] = {
    "columns": _columns,
    "lines": _lines,
    "area": _area,
    "strips": _strips,
    "bars": _bars,
    "heat_map": _heat_map,
}
