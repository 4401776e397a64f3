"""What came in and what was completed: the net flow."""

from datetime import datetime

from django.db.models import Q

from reports import charts
from reports.measures import Count
from reports.periods import Period
from reports.predefined import episodes, notes
from reports.predefined.completions import notes_on_unknown
from reports.report import BUCKET_COLUMNS, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from tasks.models import TimeSource

_COUNTED = ("completed", "imported", "inferred", "arrived", "reopened", "ended_otherwise", "net")


def _completed(scope: Scope, period: Period, now: datetime) -> Result:
    arrived = episodes.by_bucket(
        episodes.entered(scope, period),
        "entered_at",
        period,
        {"arrived": Count(), "reopened": Count("again")},
        again=episodes.one_if(Q(is_reopened=True)),
    )
    completed = episodes.by_bucket(
        episodes.completed(scope, period),
        "ended_at",
        period,
        {"completed": Count(), "imported": Count("elsewhere"), "inferred": Count("implied")},
        elsewhere=episodes.one_if(Q(is_imported=True)),
        implied=episodes.one_if(Q(ended_from=TimeSource.INFERRED)),
    )
    otherwise = episodes.by_bucket(
        episodes.ended_otherwise(scope, period), "ended_at", period, {"ended_otherwise": Count()}
    )
    rows = []
    for position, bucket in enumerate(period.buckets):
        row: Row = dict.fromkeys(_COUNTED, 0)
        for counted in (arrived, completed, otherwise):
            row |= episodes.at(counted, position)
        row["net"] = row["arrived"] - row["completed"] - row["ended_otherwise"]
        rows.append(bucket_row(bucket, now) | row)
    total = {name: sum(row[name] for row in rows) for name in _COUNTED}
    return Result(
        rows,
        total_row(period, now) | total,
        n=total["completed"],
        notes=(*notes_on_unknown(scope, period), *notes.on_inferred(total["inferred"])),
    )


COMPLETED = Report(
    slug="completed",
    title="Completed and arrivals",
    description=(
        "How many tasks were completed and how many came in, each at its time. A task that was reopened comes in "
        "again, and counts again when it is completed again; one that was completed before it was imported counts at "
        "the time its file gives."
    ),
    formula="Net flow = arrived − completed − ended otherwise: by how much the number of open tasks grew.",
    source="Episodes, by entry and by end.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("imported", "of these, imported as completed", "tasks"),
        Column("inferred", "of these, at an inferred time", "tasks"),
        Column("arrived", "Arrived", "tasks"),
        Column("reopened", "of these, reopened after completion", "tasks"),
        Column("ended_otherwise", "Failed, cancelled or deleted", "tasks"),
        Column("net", "Net flow", "tasks"),
    ),
    charts=(
        charts.GroupedColumns(
            (charts.Series("arrived", "Arrived"), charts.Series("completed", "Completed")),
            title="Completed and arrived tasks",
        ),
    ),
    query=_completed,
    sample="completed",
    headline=("completed", "arrived", "net", "reopened"),
)
