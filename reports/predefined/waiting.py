"""How long tasks stood still, and what for."""

from datetime import datetime

from django.db.models import QuerySet

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Count, Sum, without_facts
from reports.periods import Period
from reports.predefined import episodes, intervals
from reports.predefined.times import columns_of, in_units, measures_of, share_of
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from reports.units import SECONDS
from tasks.models import StatusInterval, WaitReason

#: What a task before its import waited for nobody knows.
REASONS = [reason for reason in WaitReason if reason != WaitReason.ELSEWHERE]
_MEASURES: dict[str, Aggregate] = {"waited_seconds": Sum("wait"), **measures_of("wait")}


def _per_task(parts: "QuerySet[StatusInterval]", *by: str) -> QuerySet:
    """How long each task waited, ``by`` and in all: one that waited twice is one."""
    return intervals.together(parts, *by, name="wait")


def _waiting(scope: Scope, period: Period, now: datetime) -> Result:
    parts = intervals.clipped(scope, period, episodes.as_of(period, now))
    known = parts.filter(reason__in=REASONS)
    by_reason = summarise(_per_task(known, "reason"), by=["reason"], measures=_MEASURES).groups
    total = in_units(summarise(_per_task(known), measures=_MEASURES).total)
    rows: list[Row] = []
    for reason in REASONS:
        values = in_units(by_reason.get((reason.value,), without_facts(_MEASURES)))
        rows.append(
            {"reason": reason.value, **values, "share": share_of(values["waited_seconds"], total["waited_seconds"])}
        )
    elsewhere = summarise(_per_task(parts.filter(reason=WaitReason.ELSEWHERE)), measures={"n": Count()}).total["n"]
    remarks: tuple[str, ...] = ()
    if elsewhere:
        stood = "task was" if elsewhere == 1 else "tasks were"
        remarks = (f"{elsewhere:,} {stood} elsewhere before an import; what they waited for there is in no row.",)
    return Result(
        rows,
        {"reason": None, **total, "share": share_of(total["waited_seconds"], total["waited_seconds"])},
        n=total["wait_count"],
        notes=remarks,
        words={"reason": {reason.value: reason.label for reason in REASONS}},
    )


WAITING = Report(
    slug="waiting",
    title="Waiting by reason",
    description=(
        "How long tasks stood still in the period, and what for. A task counts for one reason at a time, the first of: "
        "another task, on hold, deferred, no agent, an answer, a review. What still waits counts up to now."
    ),
    formula="Time in each reason within the period, added up; mean and percentiles are of each task's share of it.",
    source="Intervals of a status with a reason, cut to the period.",
    columns=(
        Column("reason", "Reason", "text", "dimension"),
        *columns_of("wait", "Wait"),
        Column("waited_seconds", "All together", SECONDS, n="wait_count"),
        Column("share", "Share of all waiting", "percent"),
    ),
    charts=(
        charts.Bars(label="reason", value="waited_seconds", share="share", title="Waiting by reason", unit=SECONDS),
    ),
    query=_waiting,
    sample="wait_count",
    headline=("wait_count", "waited_seconds", "wait_median_seconds", "wait_p85_seconds"),
)
