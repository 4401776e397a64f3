"""An answer as the page shows it: headline figures, charts, and the table behind each chart."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from reports.formats import bucket_label, bucket_name, figure
from reports.report import Answer, Column, Row

#: What names a row rather than measuring it: shown together as the row's heading.
NAMING = frozenset({"bucket", "starts_at", "ends_at", "is_partial", "agent", "name", "kind"})


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table: its heading, a remark next to it (a slug, "partial"), and the formatted figures."""

    heading: str
    remark: str
    figures: list[str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with its legend, and the same figures as a table."""

    ident: str
    title: str
    svg: SafeString
    legend: list[tuple[str, str]]
    first_header: str
    headers: list[str]
    rows: list[TableRow]
    total: TableRow


@dataclass(frozen=True, slots=True)
class Shown:
    """A complete report for the page. ``sample``: how many facts it is based on; with none, ``panels`` is empty."""

    slug: str
    title: str
    description: str
    headline: list[tuple[str, str]]
    panels: list[Panel]
    sample: int
    has_figures: bool


def _short(label: str) -> str:
    """A label without the group before its colon, which is already in the table's title."""
    words = label.rpartition(": ")[2]
    return words[:1].upper() + words[1:]


def _heading(row: Row, given: Answer) -> tuple[str, str]:
    if "bucket" not in row:
        return row["name"], row["agent"] or ""
    if row["bucket"] is None:
        return "Whole period", ""
    return bucket_name(row["bucket"], given.period.size), "partial" if row["is_partial"] else ""


def _table_row(row: Row, columns: Iterable[Column], given: Answer) -> TableRow:
    heading, remark = _heading(row, given)
    return TableRow(heading, remark, [figure(row[column.name], column.unit) for column in columns])


def _panels(given: Answer) -> Iterable[Panel]:
    result = given.result
    measured = [column for column in given.columns if column.name not in NAMING]
    over_time = "bucket" in result.total
    labels = [bucket_label(row["bucket"], given.period.size) for row in result.rows] if over_time else []
    for number, chart in enumerate(given.charts, start=1):
        columns = [column for column in measured if column.name in chart.table] if chart.table else measured
        ident = f"{given.slug}-{number}"
        yield Panel(
            ident=ident,
            title=f"{chart.title}, by {given.period.size}" if over_time else chart.title,
            svg=chart.draw(result.rows, labels=labels, ident=ident, total=result.total),
            legend=chart.legend(result.rows),
            first_header=given.period.size.value.capitalize() if over_time else "Agent",
            headers=[_short(column.label) for column in columns],
            rows=[_table_row(row, columns, given) for row in result.rows],
            total=_table_row(result.total, columns, given),
        )


def shown(given: Answer) -> Shown:
    """``given`` as texts and charts."""
    report, result = given.report, given.result
    assert report is not None
    by_name = {column.name: column for column in report.columns}
    headline = [(by_name[name].label, figure(result.total[name], by_name[name].unit)) for name in report.headline]
    figures = [(column, result.figures[column.name]) for column in report.figures]
    headline += [(column.label, figure(value, column.unit)) for column, value in figures if value is not None]
    measured = [name for name in by_name if name not in NAMING]
    has_figures = any(result.total[name] for name in measured)
    return Shown(
        slug=report.slug,
        title=report.title,
        description=report.description,
        headline=headline,
        panels=list(_panels(given)) if has_figures else [],
        sample=result.total[report.sample],
        has_figures=has_figures,
    )


def filters_of(query: Any, names: Iterable[str]) -> dict[str, str]:
    """The given parameters as written, for the form and for links that keep them."""
    return {name: query[name] for name in names if query.get(name)}
