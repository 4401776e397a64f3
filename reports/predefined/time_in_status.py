"""Where the time of completed tasks went, and how much of it was work."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Count, Exact, Sum, without_facts
from reports.periods import Period
from reports.predefined import episodes, intervals
from reports.predefined.completions import notes_on_unknown
from reports.predefined.leads import COMPLETED_THEN, Where, durations, is_, is_set, not_
from reports.predefined.times import columns_of, in_units, measures_of, share_of
from reports.report import BUCKET_COLUMNS, Answer, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from reports.sql import Milliseconds, Scaled
from reports.units import SECONDS
from tasks.models import Episode, StatusInterval, TimeSource
from tasks.transitions import Status

STATUSES = (Status.NOT_STARTED, Status.IN_PROGRESS, Status.WAITING, Status.IN_REVIEW)
_MEASURES: dict[str, Aggregate] = {"spent_seconds": Sum("time"), **measures_of("time")}


def completed_here(scope: Scope, period: Period) -> "QuerySet[Episode]":
    """What was completed in the period with a known entry, and here: nobody saw how it went elsewhere."""
    return episodes.completed(scope, period).filter(episodes.ENTRY_KNOWN, is_imported=False)


def _on_others(scope: Scope, period: Period, counted: int) -> tuple[str, ...]:
    left_out = episodes.count(episodes.completed(scope, period)) - counted
    if not left_out:
        return ()
    were = "more was" if left_out == 1 else "more were"
    return (
        f"{left_out:,} {were} completed before an import, or entered at an unknown time: "
        "where that time went is not known.",
    )


def _time_in_status(scope: Scope, period: Period, now: datetime) -> Result:
    done = completed_here(scope, period)
    of_done = done.filter(task=OuterRef("task"), number=OuterRef("episode")).values("pk")
    # Begun at the tasks that were completed in the period; which of their episodes it was, each row is asked.
    of_tasks = intervals.all_of(scope).filter(task_id__in=done.values("task"))
    spent = of_tasks.filter(Exists(of_done)).annotate(part=Milliseconds("began_at", "ended_at"))
    by_status = summarise(_per_episode(spent, "status"), by=["status"], measures=_MEASURES).groups
    whole = summarise(_per_episode(spent), measures=_MEASURES).total
    completed, total = episodes.count(done), in_units(whole)
    rows: list[Row] = []
    for status in STATUSES:
        values = by_status.get((status.value,), without_facts(_MEASURES))
        rows.append({"status": status.value} | _row(in_units(values), completed, total["spent_seconds"]))
    return Result(
        rows,
        {"status": None} | _row(total, completed, total["spent_seconds"]),
        n=completed,
        notes=(*notes_on_unknown(scope, period), *_on_others(scope, period, completed)),
        words={"status": {status.value: status.label for status in STATUSES}},
    )


def _per_episode(parts: "QuerySet[StatusInterval]", *by: str) -> QuerySet:
    """How long each episode was in a status, over all the times it was."""
    return intervals.together(parts, "episode", *by, name="time")


def _row(values: Row, completed: int, whole: float) -> Row:
    spent = values["spent_seconds"]
    each = round(spent / completed, 3) if completed else None
    return values | {"completed": completed, "each_seconds": each, "share": share_of(spent, whole)}


def _there(answer: Answer, row: Row) -> list[Where]:
    """Those that were in the status of the row, or in any."""
    statuses = [row["status"]] if row["status"] else [status.value for status in STATUSES]
    return [{"any": [is_set(f"time_{status}") for status in statuses]}]


_HERE = COMPLETED_THEN.having(is_("imported", False), not_(is_("entry_time", TimeSource.UNKNOWN.value)))
_THERE = _HERE.narrowed(_there)

TIME_IN_STATUS = Report(
    slug="time_in_status",
    title="Time in status",
    description=(
        "Where the time of the tasks completed in the period went, from their entry to their completion. The mean is "
        "over all of them; the percentiles are over those that were in the status at all."
    ),
    formula="Share = time in the status ÷ time in all of them, each added up over the completed.",
    source="Intervals of a status of the episodes completed in the period, whole.",
    columns=(
        Column("status", "Status", "text", "dimension"),
        Column("completed", "Completed", "tasks", "n"),
        Column("each_seconds", "Mean over all completed", SECONDS, n="completed"),
        *columns_of("time", "There"),
        Column("spent_seconds", "All together", SECONDS, n="time_count"),
        Column("share", "Share of the lead time", "percent", n="completed"),
    ),
    charts=(
        charts.Bars(
            label="status",
            value="spent_seconds",
            share="share",
            title="Time of completed tasks by status",
            unit=SECONDS,
        ),
    ),
    query=_time_in_status,
    behind={"completed": _HERE, "each_seconds": _HERE, "share": _HERE, "spent_seconds": _THERE}
    | dict.fromkeys(durations(_THERE, "time", "lead"), _THERE),
    sample="completed",
    headline=("completed", "each_seconds", "time_median_seconds", "time_p85_seconds"),
)


def _flow_efficiency(scope: Scope, period: Period, now: datetime) -> Result:
    summary = episodes.by_bucket(
        completed_here(scope, period),
        "ended_at",
        period,
        {"completed": Count(), "worked_seconds": Sum("worked"), "lead_seconds": Sum("lead")},
        worked=Scaled("worked_seconds", 1_000),
    )
    rows = [
        bucket_row(bucket, now) | _efficiency(episodes.at(summary, place))
        for place, bucket in enumerate(period.buckets)
    ]
    total = _efficiency(summary.total)
    remarks = (*notes_on_unknown(scope, period), *_on_others(scope, period, total["completed"]))
    return Result(rows, total_row(period, now) | total, n=total["completed"], notes=remarks)


def _efficiency(values: Mapping[str, Exact | None]) -> Row:
    row = in_units({"completed": 0, "worked_seconds": 0, "lead_seconds": 0, **values})
    return row | {"efficiency": share_of(row["worked_seconds"], row["lead_seconds"])}


FLOW_EFFICIENCY = Report(
    slug="flow_efficiency",
    title="Flow efficiency",
    description=(
        "Which share of the lead time of completed tasks was spent in progress, over all their runs. The rest was "
        "waiting: see “Waiting by reason”."
    ),
    formula="Flow efficiency = time in progress ÷ lead time, each added up (Modig & Åhlström, This Is Lean, 2012).",
    source="Episodes completed here, by completion.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks", "n"),
        Column("worked_seconds", "In progress, all together", SECONDS, n="completed"),
        Column("lead_seconds", "Lead time, all together", SECONDS, n="completed"),
        Column("efficiency", "Flow efficiency", "percent", n="completed"),
    ),
    charts=(
        charts.Lines(
            (charts.Series("efficiency", "Flow efficiency"),),
            title="Flow efficiency of completed tasks",
            unit="percent",
        ),
    ),
    query=_flow_efficiency,
    behind={
        "completed": _HERE,
        "worked_seconds": _HERE.of("worked_sum"),
        "lead_seconds": _HERE.of("lead_mean"),
        "efficiency": _HERE,
    },
    sample="completed",
    headline=("efficiency", "completed", "worked_seconds", "lead_seconds"),
)
