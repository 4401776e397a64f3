"""An answer as the pages show it: headline figures, charts, and the table with the same figures."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from reports.charts import Chart, Href
from reports.formats import bucket_labels
from reports.report import Answer, Report, Row
from reports.tables import Cell, Table, cell_of, measuring, spoken, table_of, task_link

#: What the overview shows of a report: its first figures, and its first chart in small.
MAX_CARD_FIGURES = 3


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with its legend, and the same figures as a table unless the one above shows them already.

    ``marks``: how many stops of the keyboard the chart has.
    """

    ident: str
    title: str
    svg: SafeString
    legend: list[tuple[str, str]]
    table: Table | None

    @property
    def marks(self) -> int:
        return self.svg.count('class="chart-mark"')


@dataclass(frozen=True, slots=True)
class Shown:
    """A complete report for the page. ``sample``: how many facts it is based on; without figures no ``panels``."""

    slug: str
    title: str
    description: str
    formula: str
    source: str
    notes: tuple[str, ...]
    headline: list[tuple[str, Cell]]
    panels: list[Panel]
    sample: int
    has_figures: bool


@dataclass(frozen=True, slots=True)
class Card:
    """What the overview shows of a report: its first figures and its first chart in small."""

    headline: list[tuple[str, Cell]]
    svg: SafeString
    has_figures: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Reports of the overview that answer questions of one kind."""

    title: str
    reports: list[Report] = field(default_factory=list)


GROUPS = (
    ("Flow", ("completed", "time_to_complete", "cumulative_flow", "wip_age", "littles_law")),
    ("How long it takes", ("cycle_times", "cycle_time_histogram", "service_level", "forecast", "due_performance")),
    ("Where time goes", ("time_in_status", "flow_efficiency", "waiting", "top_blockers")),
    ("Agents", ("workload", "utilisation", "reliability", "failures", "quality", "assignment")),
    ("Cost", ("cost", "cost_by_version", "cost_by_project", "cost_by_label")),
    ("People", ("people_load",)),
)
OTHERS = "More"


def _draw(given: Answer, chart: Chart, ident: str, *, href: Href | None = None, small: bool = False) -> SafeString:
    rows, totals = spoken(given), {**given.total, **given.figures}
    labels = [""] * len(given.rows)
    if given.is_over_time:
        labels = bucket_labels([row["bucket"] for row in given.rows], given.period.size)
    as_answered = {id(row): asked for row, asked in zip(rows, given.rows, strict=True)}

    def leads(row: Row, column: str) -> str | None:
        asked = as_answered[id(row)]
        return (href and href(asked, column)) or task_link(asked)

    return chart.draw(rows, labels=labels, ident=ident, href=leads, total=totals, small=small)


def _panels(given: Answer, href: Href | None) -> Iterable[Panel]:
    shown: set[tuple[str, ...]] = set()
    for number, chart in enumerate(given.charts, start=1):
        title = f"{chart.title}, by {given.period.size}" if given.is_over_time else chart.title
        is_new = chart.table not in shown
        shown.add(chart.table)
        yield Panel(
            ident=f"{given.slug}-{number}",
            title=title,
            svg=_draw(given, chart, f"{given.slug}-{number}", href=href),
            legend=chart.legend(given.rows),
            table=table_of(given, title=title, names=chart.table, href=href) if is_new else None,
        )
    if not given.charts:
        table = table_of(given, title=given.title, href=href)
        yield Panel(f"{given.slug}-1", given.title, SafeString(), [], table)


def _headline(given: Answer, report: Report, href: Href | None = None) -> list[tuple[str, Cell]]:
    """The totals that come first, and the single figures that there are."""
    by_name = {column.name: column for column in given.columns}
    figures = [column for column in report.figures if given.figures.get(column.name) is not None]
    totals = [(by_name[name].label, cell_of(given.total, by_name[name], given, href)) for name in report.headline]
    return totals + [(column.label, cell_of(given.figures, column, given, href)) for column in figures]


def _has_figures(given: Answer) -> bool:
    measured = measuring(given.columns)
    return bool(given.n) or any(row.get(column.name) for row in [given.total, *given.rows] for column in measured)


def shown(given: Answer, *, href: Href | None = None) -> Shown:
    """``given``, the answer of a predefined report, as texts and charts; ``href``: where a figure leads."""
    assert given.report is not None
    has_figures = _has_figures(given)
    return Shown(
        slug=given.slug,
        title=given.title,
        description=given.description,
        formula=given.formula,
        source=given.source,
        notes=given.notes,
        headline=_headline(given, given.report, href),
        panels=list(_panels(given, href)) if has_figures else [],
        sample=given.n,
        has_figures=has_figures,
    )


def card(given: Answer) -> Card:
    """``given``, the answer of a predefined report, in the overview."""
    assert given.report is not None
    has_figures = _has_figures(given)
    drawn = _draw(given, given.charts[0], f"{given.slug}-card", small=True) if has_figures and given.charts else ""
    return Card(_headline(given, given.report)[:MAX_CARD_FIGURES], SafeString(drawn), has_figures)


def grouped(reports: Iterable[Report]) -> list[Group]:
    """``reports`` in the groups of the overview; what is in none of them comes last."""
    by_slug = {each.slug: each for each in reports}
    groups = [
        Group(title, [by_slug.pop(slug) for slug in slugs if slug in by_slug]) for title, slugs in GROUPS
    ]  # fmt: skip
    groups.append(Group(OTHERS, list(by_slug.values())))
    return [group for group in groups if group.reports]


def filters_of(query: Any, names: Iterable[str]) -> dict[str, str]:
    """The given parameters as written, for the form and for links that keep them."""
    return {name: query[name] for name in names if query.get(name)}
