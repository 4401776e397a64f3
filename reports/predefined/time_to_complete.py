"""How long tasks took: lead time and cycle time."""

from collections.abc import Iterable
from datetime import datetime

from reports import charts, facts
from reports.engines import summarise
from reports.measures import Aggregate, Average, Count, Percentile, Values, without_facts
from reports.periods import Period
from reports.report import BUCKET_COLUMNS, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from reports.units import SECONDS, settled

PERCENTILES = (("median", "Median", 0.5), ("p85", "85th percentile", 0.85), ("p95", "95th percentile", 0.95))
DURATIONS = (("lead", "Lead time"), ("cycle", "Cycle time"))


def _duration_measures() -> dict[str, Aggregate]:
    by_name: dict[str, Aggregate] = {}
    for column, _ in DURATIONS:
        by_name[f"{column}_count"] = Count(column)
        by_name[f"{column}_average_seconds"] = Average(column)
        for name, _, fraction in PERCENTILES:
            by_name[f"{column}_{name}_seconds"] = Percentile(column, fraction)
    return by_name


def _row(values: Values) -> Row:
    return {name: settled(value, SECONDS if name.endswith("_seconds") else "tasks") for name, value in values.items()}


def _time_to_complete(scope: Scope, period: Period, now: datetime) -> Result:
    completed = facts.completed_tasks(scope, period).annotate(position=facts.bucket("completed_at", period))
    wanted = _duration_measures()
    summary = summarise(completed, by=["position"], measures=wanted)
    nothing = without_facts(wanted)
    rows = [
        bucket_row(bucket, now) | _row(summary.groups.get((position,), nothing))
        for position, bucket in enumerate(period.buckets)
    ]
    return Result(rows, total_row(period, now) | _row(summary.total))


def _duration_columns() -> Iterable[Column]:
    for column, label in DURATIONS:
        yield Column(f"{column}_count", f"{label}: tasks", "tasks")
        yield Column(f"{column}_average_seconds", f"{label}: average", "seconds")
        for name, words, _ in PERCENTILES:
            yield Column(f"{column}_{name}_seconds", f"{label}: {words.lower()}", "seconds")


TIME_TO_COMPLETE = Report(
    slug="time_to_complete",
    title="Time to complete",
    description=(
        "Lead time (created to completed) and cycle time (first started to completed) of the tasks whose last "
        "completion is in the period; imported tasks count with the times in their file, and only for the lead time "
        "if it gives no start. Percentiles are interpolated linearly between the two nearest values."
    ),
    columns=(*BUCKET_COLUMNS, *_duration_columns()),
    charts=tuple(
        charts.Strips(
            count=f"{column}_count",
            median=f"{column}_median_seconds",
            upper=f"{column}_p85_seconds",
            top=f"{column}_p95_seconds",
            title=f"{label} of completed tasks",
            table=tuple(name for name in _duration_measures() if name.startswith(column)),
        )
        for column, label in DURATIONS
    ),
    query=_time_to_complete,
    sample="lead_count",
    headline=("lead_count", "lead_average_seconds", "lead_median_seconds", "lead_p85_seconds", "cycle_median_seconds"),
)
