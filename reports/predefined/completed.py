"""How many tasks were completed."""

from datetime import datetime

from django.db.models import Count, QuerySet

from reports import charts, facts
from reports.periods import Period
from reports.report import BUCKET_COLUMNS, Column, Report, Result, bucket_row, total_row
from reports.scopes import Scope


def _per_bucket(rows: QuerySet, time: str, period: Period) -> dict[int, int]:
    counted = rows.order_by().annotate(position=facts.bucket(time, period)).values("position")
    return dict(counted.annotate(n=Count("pk")).values_list("position", "n"))


def _completed(scope: Scope, period: Period, now: datetime) -> Result:
    here = _per_bucket(facts.completions(scope, period), "at", period)
    elsewhere = _per_bucket(facts.imported_completions(scope, period), "completed", period)
    rows = [
        bucket_row(bucket, now)
        | {
            "completed": here.get(position, 0) + elsewhere.get(position, 0),
            "imported": elsewhere.get(position, 0),
        }
        for position, bucket in enumerate(period.buckets)
    ]
    total = {name: sum(row[name] for row in rows) for name in ("completed", "imported")}
    return Result(rows, total_row(period, now) | total)


COMPLETED = Report(
    slug="completed",
    title="Completed tasks",
    description=(
        "How many tasks were completed, by the time of completion. A task that was reopened and completed again "
        "counts twice; one that was completed before it was imported counts at the time its file gives."
    ),
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("imported", "of these, imported as completed", "tasks"),
    ),
    charts=(charts.Columns(value="completed", title="Completed tasks"),),
    query=_completed,
    sample="completed",
    headline=("completed",),
)
