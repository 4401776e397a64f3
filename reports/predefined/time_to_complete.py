"""How long tasks took: lead, queue and cycle time of each completed episode."""

from collections.abc import Mapping, Sequence

from reports import charts
from reports.definitions import read
from reports.notes import on_inferred
from reports.predefined.times import columns_of, measures_of
from reports.report import BUCKET_COLUMNS, Column, Part, Report

DURATIONS = {"lead": "Lead time", "queue": "Queue time", "cycle": "Cycle time"}
_COMPLETED = ({"aggregate": "count"}, {"name": "inferred", "aggregate": "sum"})


def _part(title: str, columns: Mapping[str, str], measures: Sequence[Mapping[str, str]]) -> Part:
    time = {"on": "completed", "bucket": "auto"}
    return Part(title, read({"version": 1, "facts": "episodes", "measures": list(measures), "time": time}), columns)


def _of_duration(column: str) -> Part:
    ends = {"count": "count", "average_seconds": "mean", "median_seconds": "p50"}
    ends |= {f"{name}_seconds": name for name in ("p85", "p95")}
    return _part(
        DURATIONS[column],
        {f"{column}_{end}": f"{column}_{aggregate}" for end, aggregate in ends.items()},
        [{"name": column, "aggregate": aggregate} for aggregate in ends.values()],
    )


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
    parts=(
        _part("Completed", {"completed": "count", "inferred": "inferred_sum"}, _COMPLETED),
        *map(_of_duration, DURATIONS),
    ),
    remarks=lambda total: on_inferred(total["inferred"]),
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
