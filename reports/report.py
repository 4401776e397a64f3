"""What a report is, what it answers, and the rows of reports over time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reports.charts import Chart
from reports.columns import BUCKET_COLUMNS, Column
from reports.definitions import Cell, Definition
from reports.periods import Bucket, Period
from reports.scopes import Scope

__all__ = ["BUCKET_COLUMNS", "Answer", "Column", "Lead", "Report", "Result", "Row", "bucket_row", "total_row"]

Row = dict[str, Any]
#: Where a figure of an answer leads, in a row, the total or the single figures: the facts of a cell of a definition.
Lead = Callable[["Answer", Row], tuple[Definition, Cell] | None]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a report: a dict per row by column name, the same over all rows, and single figures.

    ``n``: how many facts the total counts. ``notes``: sentences on what the figures leave out. ``words``: by column,
    what people read for a value, such as an agent's name for its slug.
    """

    rows: list[Row]
    total: Row
    figures: Row = field(default_factory=dict)
    n: int | None = None
    notes: tuple[str, ...] = ()
    words: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A definition in a report, what it counts in words, and what its columns are called there."""

    title: str
    definition: Definition
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """A report that anyone may request: definitions side by side, or a ``query`` where they cannot express it.

    ``parts`` are grouped alike, so that their figures of the same bucket and words stand in one row; ``more`` gives
    what follows from the figures of the rows and of the total, which is the last. ``query`` takes scope, period and the
    current time, and changes nothing. ``formula`` is one line that says how the figures are computed and ``source``
    from which facts; people read both beside the figures.
    """

    slug: str
    title: str
    description: str
    columns: tuple[Column, ...]
    charts: tuple[Chart, ...]
    sample: str
    """The column whose total is the number of facts that the report is based on."""
    headline: tuple[str, ...]
    """The columns whose totals are shown first."""
    query: Callable[[Scope, Period, datetime], Result] | None = None
    parts: tuple[Part, ...] = ()
    more: Callable[[Sequence[Row]], Sequence[Row]] | None = None
    remarks: Callable[[Row], Sequence[str]] | None = None
    """What the total of ``parts`` says about the figures, in sentences; it may count what no column shows."""
    order: tuple[str, ...] = ()
    """The columns that sort the rows of ``parts``, as in a definition."""
    formula: str = ""
    source: str = ""
    behind: Mapping[str, Lead] = field(default_factory=dict)
    """By column, also of ``figures``: what is behind the figures of a ``query``."""
    figures: tuple[Column, ...] = ()

    def counted_by(self, column: str) -> tuple[Definition, str] | None:
        """The definition that counts ``column``, and what it is called there; None if none does."""
        for part in self.parts:
            if column in part.columns:
                return part.definition, part.columns[column]
        return None


@dataclass(frozen=True)
class Answer:
    """What a report or a definition says of a scope and a period: the columns, with the result in them.

    ``report`` is None for a definition of somebody's own.
    """

    slug: str
    title: str
    description: str
    columns: tuple[Column, ...]
    scope: Scope
    period: Period
    result: Result
    at: datetime
    report: Report | None = None
    definition: Definition | None = None

    @property
    def formula(self) -> str:
        return self.report.formula if self.report else ""

    @property
    def source(self) -> str:
        return self.report.source if self.report else ""

    @property
    def charts(self) -> tuple[Chart, ...]:
        return self.report.charts if self.report else ()

    @property
    def figure_columns(self) -> tuple[Column, ...]:
        return self.report.figures if self.report else ()

    @property
    def rows(self) -> list[Row]:
        return self.result.rows

    @property
    def total(self) -> Row:
        return self.result.total

    @property
    def figures(self) -> Row:
        return self.result.figures

    @property
    def notes(self) -> tuple[str, ...]:
        return self.result.notes

    @property
    def n(self) -> int:
        """How many facts the total counts."""
        if self.result.n is not None:
            return self.result.n
        return int(self.total[self.report.sample] or 0) if self.report else 0

    @property
    def tz(self) -> str:
        return self.period.zone.key

    @property
    def is_over_time(self) -> bool:
        """Whether its rows are buckets of the period."""
        return any(column.role == "time" for column in self.columns)

    @property
    def file_stem(self) -> str:
        """The name of a download without its extension, such as ``completed_OPS_2026-01-01_2026-02-01``."""
        key = self.scope.project.key if self.scope.project else "all"
        days = (moment.astimezone(self.period.zone).date() for moment in (self.period.start, self.period.end))
        return "_".join((self.slug, key, *(day.isoformat() for day in days)))


def bucket_row(bucket: Bucket, now: datetime) -> Row:
    """A bucket's naming columns; one that the period cuts off, or that is not over yet, is partial."""
    is_partial = bucket.is_partial or bucket.end > now
    return {
        "bucket": bucket.name,
        "starts_at": bucket.start,
        "ends_at": bucket.end,
        "is_partial": is_partial,
    }


def total_row(period: Period, now: datetime) -> Row:
    """The whole period's naming columns; one that is not over yet is partial."""
    return {"bucket": None, "starts_at": period.start, "ends_at": period.end, "is_partial": period.end > now}
