"""How long tasks took: lead, queue and cycle time of each completed episode."""

from datetime import datetime

from reports import charts
from reports.measures import Aggregate, Count, without_facts
from reports.periods import Period
from reports.predefined import episodes, notes
from reports.predefined.completions import notes_on_unknown
from reports.predefined.times import columns_of, in_units, measures_of
from reports.report import BUCKET_COLUMNS, Column, Report, Result, bucket_row, total_row
from reports.scopes import Scope

DURATIONS = {"lead": "Lead time", "queue": "Queue time", "cycle": "Cycle time"}


def _measures() -> dict[str, Aggregate]:
    by_name: dict[str, Aggregate] = {"completed": Count(), "inferred": Count("implied")}
    for column in DURATIONS:
        by_name |= measures_of(column)
    return by_name


def _time_to_complete(scope: Scope, period: Period, now: datetime) -> Result:
    wanted = _measures()
    summary = episodes.by_bucket(
        episodes.completed(scope, period),
        "ended_at",
        period,
        wanted,
        implied=episodes.one_if(episodes.INFERRED),
    )
    nothing = without_facts(wanted)
    rows = [
        bucket_row(bucket, now) | in_units(summary.groups.get((position,), nothing))
        for position, bucket in enumerate(period.buckets)
    ]
    total = in_units(summary.total)
    remarks = [*notes_on_unknown(scope, period), *notes.on_inferred(total["inferred"])]
    for column, label in DURATIONS.items():
        remarks += notes.on_durations(total[f"{column}_count"], total["completed"], label.lower())
    return Result(rows, total_row(period, now) | total, n=total["completed"], notes=tuple(remarks))


TIME_TO_COMPLETE = Report(
    slug="time_to_complete",
    title="Time to complete",
    description=(
        "Lead time (entry to completion), queue time (entry to first start) and cycle time (first start to "
        "completion) of what was completed in the period: the same as in “Completed”. A task that was reopened enters "
        "again, so the time it lay completed is in no duration. Imported tasks count with the times in their file."
    ),
    formula=(
        "Lead = queue + cycle; percentiles interpolate linearly between the two nearest values "
        "(type 7 of Hyndman & Fan, Sample Quantiles in Statistical Packages, 1996)."
    ),
    source="Completed episodes, by completion.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("inferred", "of these, with an inferred time", "tasks"),
        *(column for name, label in DURATIONS.items() for column in columns_of(name, label)),
    ),
    charts=tuple(
        charts.Strips(
            count=f"{column}_count",
            median=f"{column}_median_seconds",
            upper=f"{column}_p85_seconds",
            top=f"{column}_p95_seconds",
            title=f"{label} of completed tasks",
            table=tuple(measures_of(column)),
        )
        for column, label in DURATIONS.items()
    ),
    query=_time_to_complete,
    sample="completed",
    headline=(
        "completed",
        "lead_average_seconds",
        "lead_median_seconds",
        "lead_p85_seconds",
        "queue_median_seconds",
        "cycle_median_seconds",
    ),
)
