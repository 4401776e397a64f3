"""What a report is, what it answers, and the rows of reports over time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reports.charts import Chart
from reports.periods import Bucket, Period
from reports.scopes import Scope

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a report: its name in JSON and CSV, its label for people, and its unit."""

    name: str
    label: str
    unit: str


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a report: a dict per row by column name, the same over all rows, and single figures."""

    rows: list[Row]
    total: Row
    figures: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A report that anyone may request. ``query`` takes scope, period and the current time, and changes nothing."""

    slug: str
    title: str
    description: str
    columns: tuple[Column, ...]
    charts: tuple[Chart, ...]
    query: Callable[[Scope, Period, datetime], Result]
    sample: str
    """The column whose total is the number of facts that the report is based on."""
    headline: tuple[str, ...]
    """The columns whose totals are shown first."""
    figures: tuple[Column, ...] = ()


BUCKET_COLUMNS = (
    Column("bucket", "Period", "date"),
    Column("starts_at", "From", "time"),
    Column("ends_at", "Before", "time"),
    Column("is_partial", "Partial", "flag"),
)


def bucket_row(bucket: Bucket, now: datetime) -> Row:
    """A bucket's naming columns; one that the period cuts off, or that is not over yet, is partial."""
    is_partial = bucket.is_partial or bucket.end > now
    return {
        "bucket": bucket.first_day,
        "starts_at": bucket.start,
        "ends_at": bucket.end,
        "is_partial": is_partial,
    }


def total_row(period: Period, now: datetime) -> Row:
    """The whole period's naming columns; one that is not over yet is partial."""
    return {"bucket": None, "starts_at": period.start, "ends_at": period.end, "is_partial": period.end > now}
