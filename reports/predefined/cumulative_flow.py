"""How many tasks stand in each status at the end of each bucket, over what has been completed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import accumulate

from django.db.models import Case, CharField, F, QuerySet, Value, When

from reports import charts
from reports.periods import Period
from reports.predefined import episodes, intervals
from reports.predefined.completions import notes_on_unknown
from reports.predefined.leads import (
    COMPLETED_THEN,
    ENDED_OTHERWISE,
    Lead,
    Where,
    end_of_row,
    going_on,
    is_,
    not_,
    start_of_period,
)
from reports.report import BUCKET_COLUMNS, Answer, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from reports.sql import BucketIndex
from tasks.models import StatusInterval, WaitReason
from tasks.transitions import Status

#: The bands of what is open, from the one that is nearest to done.
OPEN_BANDS = {
    Status.IN_REVIEW.value: "In review",
    Status.WAITING.value: "Waiting for an answer",
    Status.IN_PROGRESS.value: "In progress",
    Status.NOT_STARTED.value: "Not started",
    WaitReason.ELSEWHERE.value: "Elsewhere, before its import",
}


def levels(at_start: int, begun: Sequence[int], ended: Sequence[int]) -> list[int]:
    """How many stand at the end of each bucket, from what stood before the first, and what began and ended in each."""
    return list(accumulate((more - less for more, less in zip(begun, ended, strict=True)), initial=at_start))[1:]


def _intervals(scope: Scope) -> "QuerySet[StatusInterval]":
    # Where a task stood before its import nobody knows.
    elsewhere = When(reason=WaitReason.ELSEWHERE, then=Value(WaitReason.ELSEWHERE.value))
    return intervals.all_of(scope).annotate(band=Case(elsewhere, default=F("status"), output_field=CharField()))


def _moves(scope: Scope, period: Period, field: str) -> dict[tuple[str, int], int]:
    """How many intervals have their time ``field`` in each bucket, by band."""
    rows = _intervals(scope).filter(episodes.within(field, period))
    rows = rows.annotate(position=BucketIndex(field, period.edges))
    return episodes.counts(rows, "band", "position")


def _at_start(scope: Scope, period: Period) -> dict[str, int]:
    rows = _intervals(scope).filter(intervals.open_at(period.start))
    return {band: n for (band,), n in episodes.counts(rows, "band").items()}


def _cumulative_flow(scope: Scope, period: Period, now: datetime) -> Result:
    buckets = episodes.buckets_so_far(period, now)
    places = range(len(buckets))
    at_start = _at_start(scope, period)
    begun, ended = (_moves(scope, period, field) for field in ("began_at", "ended_at"))
    columns: dict[str, list[int]] = {}
    for band in OPEN_BANDS:
        series = ([moves.get((band, place), 0) for place in places] for moves in (begun, ended))
        columns[band] = levels(at_start.get(band, 0), *series)
    for name, ended_there in (
        ("completed", episodes.completed(scope, period)),
        ("ended_otherwise", episodes.ended_otherwise(scope, period)),
    ):
        counted = episodes.by_bucket(ended_there, "ended_at", period)
        columns[name] = list(accumulate(episodes.at(counted, place).get("n", 0) for place in places))
    rows = [
        bucket_row(bucket, now) | {name: values[place] for name, values in columns.items()}
        for place, bucket in enumerate(buckets)
    ]
    last = {name: values[-1] if values else 0 for name, values in columns.items()}
    return Result(
        rows,
        total_row(period, now) | last,
        {"open_at_start": sum(at_start.values())},
        n=last["completed"] + sum(last[band] for band in OPEN_BANDS),
        notes=notes_on_unknown(scope, period),
    )


def _since_start(answer: Answer, row: Row) -> tuple[datetime, datetime]:
    return answer.period.start, end_of_row(answer, row)


def _stands_in(band: str) -> Lead:
    elsewhere = is_("reason", WaitReason.ELSEWHERE.value)
    where: tuple[Where, ...] = (is_("status", band), not_(elsewhere))
    return going_on("intervals", end_of_row, *((elsewhere,) if band == WaitReason.ELSEWHERE else where))


CUMULATIVE_FLOW = Report(
    slug="cumulative_flow",
    title="Cumulative flow",
    description=(
        "How many tasks stand in each open status at the end of each bucket, over those completed since the start of "
        "the period. A band that widens is work that piles up. The last row is as of now while its bucket is not over."
    ),
    formula=(
        "In a status = there at the start + begun since − ended since "
        "(Vacanti, Actionable Agile Metrics for Predictability, 2015)."
    ),
    source="Intervals of a status, and episodes by their end.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed since the start", "tasks"),
        *(Column(band, label, "tasks") for band, label in OPEN_BANDS.items()),
        Column("ended_otherwise", "Failed, cancelled or deleted since the start", "tasks"),
    ),
    figures=(Column("open_at_start", "Open at the start of the period", "tasks"),),
    charts=(
        charts.StackedArea(
            (
                charts.Series("completed", "Completed"),
                *(charts.Series(band, label) for band, label in OPEN_BANDS.items()),
            ),
            title="Tasks by status, over those completed",
        ),
    ),
    query=_cumulative_flow,
    behind={
        "completed": replace(COMPLETED_THEN, span=_since_start),
        **{band: _stands_in(band) for band in OPEN_BANDS},
        "ended_otherwise": replace(ENDED_OTHERWISE, span=_since_start),
        "open_at_start": going_on("intervals", start_of_period),
    },
    sample="completed",
    headline=("completed", *OPEN_BANDS),
)
