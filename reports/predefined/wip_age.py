"""What is in progress and how old it is, beside the cycle times of what was completed."""

import math
from datetime import datetime, timedelta

from django.db.models import DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Value

from reports import charts
from reports.engines import summarise
from reports.measures import Count, Exact
from reports.periods import Period
from reports.predefined import episodes, intervals
from reports.predefined.cycle_times import LINES, cycle_times, with_cycle
from reports.predefined.leads import COMPLETED_THEN, Where, as_of, durations, going_on
from reports.predefined.times import columns_of, in_units, measures_of
from reports.report import Answer, Column, Report, Result, Row
from reports.scopes import Scope
from reports.sql import Milliseconds
from reports.units import SECONDS, settled
from taskproject.times import stamp
from tasks.models import Episode
from tasks.transitions import Status

#: How many tasks are shown one by one, the oldest first.
SHOWN = 500


def in_progress_at(scope: Scope, moment: datetime) -> QuerySet:
    """Each task that was begun and had not ended at ``moment``: its interval then, with its ``age`` in milliseconds.

    A task that went back to the queue after a run is in progress: it was begun.
    """
    started = Episode.objects.filter(task=OuterRef("task"), number=OuterRef("episode")).values("started_at")
    there = intervals.all_of(scope).filter(intervals.open_at(moment))
    there = there.annotate(started_at=Subquery(started, output_field=DateTimeField())).filter(started_at__lt=moment)
    return there.annotate(age=Milliseconds(F("started_at"), Value(moment)))


def _place(age: int, measured: dict[str, Exact | None]) -> str | None:
    """Between which percentiles of what was completed an age lies."""
    bounds = [(measured["cycle_p95_seconds"], "above_p95"), (measured["cycle_p85_seconds"], "above_p85")]
    bounds.append((measured["cycle_median_seconds"], "above_p50"))
    if measured["cycle_median_seconds"] is None:
        return None
    return next((word for bound, word in bounds if bound is not None and age > bound), "up_to_p50")


PLACES = {
    "up_to_p50": "up to the median",
    "above_p50": "above the median",
    "above_p85": "above the 85th percentile",
    "above_p95": "above the 95th percentile",
}


def _wip_age(scope: Scope, period: Period, now: datetime) -> Result:
    moment = episodes.as_of(period, now)
    there = in_progress_at(scope, moment)
    done = cycle_times(with_cycle(scope, period))
    upper = done["cycle_p85_seconds"]
    ages = summarise(
        there.annotate(old=episodes.one_if(Q(age__gt=math.floor(upper)) if upper is not None else Q(pk=None))),
        measures={**measures_of("age"), "above_p85": Count("old")},
    ).total
    oldest = there.order_by("started_at", "task_id").values("task_ref", "status", "started_at", "age")[:SHOWN]
    rows: list[Row] = [
        {
            "task": row["task_ref"],
            "status": row["status"],
            "started_at": row["started_at"].astimezone(period.zone),
            "age_seconds": settled(row["age"], SECONDS),
            "place": _place(row["age"], done),
        }
        for row in oldest
    ]
    figures = in_units(ages) | in_units(done)
    number = figures["age_count"]
    figures["older_than"] = None
    if upper is None:
        figures["above_p85"] = None
    else:
        # Ages are rounded to whole milliseconds.
        figures["older_than"] = moment - timedelta(milliseconds=math.floor(upper) + 0.5) + timedelta(microseconds=1)
    remarks = [f"As of {moment.astimezone(period.zone):%Y-%m-%d %H:%M}."]
    if number > len(rows):
        remarks.append(
            f"The oldest {len(rows):,} of {ages['age_count']:,} are shown one by one; the figures are of all."
        )
    if upper is None:
        remarks.append(
            "Nothing with a known cycle time was completed in the period, so there is nothing to compare with."
        )
    whole: Row = {"task": None, "status": None, "started_at": None, "age_seconds": None, "place": None}
    return Result(
        rows,
        whole,
        figures,
        n=number,
        notes=tuple(remarks),
        words={"status": {status.value: status.label for status in Status}, "place": PLACES},
    )


def _older(answer: Answer, row: Row) -> list[Where] | None:
    """Those that began so long ago that they are older than the bound; none if there is no bound."""
    until = answer.figures["older_than"]
    return None if until is None else [{"field": "started", "before": stamp(until)}]


def _begun(answer: Answer, row: Row) -> list[Where]:
    return [{"field": "started", "before": stamp(as_of(answer, row))}]


_IN_PROGRESS = going_on("intervals", as_of).narrowed(_begun)

WIP_AGE = Report(
    slug="wip_age",
    title="Work in progress and its age",
    description=(
        "The tasks that were begun and have not ended, at the end of the period or now, with the time since their "
        "first start. The lines are percentiles of the cycle times of what was completed in the period: what is older "
        "than most of that ever was needs a look."
    ),
    formula=(
        "Age = now − first start, beside percentiles of cycle times "
        "(Vacanti, Actionable Agile Metrics for Predictability, 2015)."
    ),
    source="Intervals of a status that go on, with the first start of their episode.",
    columns=(
        Column("task", "Task", "text", "dimension"),
        Column("status", "Status", "text", "dimension"),
        Column("started_at", "First started", "time", "dimension"),
        Column("age_seconds", "Age", SECONDS),
        Column("place", "Beside what was completed", "text", "dimension"),
    ),
    figures=(
        *columns_of("age", "Age"),
        Column("above_p85", "Older than the 85th percentile of cycle times", "tasks"),
        *columns_of("cycle", "Cycle time of what was completed"),
    ),
    charts=(
        charts.Scatter(
            at="status", value="age_seconds", name="task", title="Age of work in progress, by status", lines=LINES
        ),
    ),
    query=_wip_age,
    behind=dict.fromkeys(durations(_IN_PROGRESS, "age", "age"), _IN_PROGRESS)
    | {"above_p85": _IN_PROGRESS.narrowed(_older)}
    | durations(COMPLETED_THEN, "cycle", "cycle"),
    sample="age_count",
    headline=(),
)
