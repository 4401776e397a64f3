"""Cycle times one by one over time, and how they are distributed."""

from datetime import datetime

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Least

from reports import charts, notes
from reports.engines import summarise
from reports.formats import DAY, HOUR, MINUTE
from reports.measures import Exact, Values
from reports.periods import Period
from reports.predefined import episodes
from reports.predefined.completions import notes_on_unknown
from reports.predefined.leads import COMPLETED_THEN, MILLISECOND, Where, durations
from reports.predefined.times import columns_of, in_units, measures_of, share_of
from reports.report import Answer, Column, Report, Result, Row
from reports.scopes import Scope
from reports.units import SECONDS, settled
from tasks.models import Episode

#: How many completions are shown one by one.
SHOWN = 2_000
#: A bin is as wide as the first of these, in seconds, with which no more than ``BINS`` reach the 95th percentile.
WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)),
)
BINS = 20
LINES = (
    ("cycle_median_seconds", "Median"),
    ("cycle_p85_seconds", "85th percentile"),
    ("cycle_p95_seconds", "95th percentile"),
)


def with_cycle(scope: Scope, period: Period) -> QuerySet:
    """What was completed in the period with a known cycle time."""
    return episodes.completed(scope, period).filter(started_at__isnull=False)


def cycle_times(rows: "QuerySet[Episode]") -> Values:
    """Number, mean and percentiles of the cycle times of ``rows``, as ``columns_of("cycle", …)`` names them."""
    return summarise(rows, measures=measures_of("cycle")).total


def _on_cycle_times(scope: Scope, period: Period, counted: int) -> tuple[str, ...]:
    completed = episodes.count(episodes.completed(scope, period))
    return (*notes_on_unknown(scope, period), *notes.on_durations(counted, completed, "cycle time"))


def _scatter(scope: Scope, period: Period, now: datetime) -> Result:
    done = with_cycle(scope, period)
    total = in_units(cycle_times(done))
    last = done.order_by("-ended_at", "-task_id", "-number").values("task_ref", "ended_at", "cycle")[:SHOWN]
    rows: list[Row] = [
        {
            "task": row["task_ref"],
            "completed_at": row["ended_at"].astimezone(period.zone),
            "cycle_seconds": settled(row["cycle"], SECONDS),
        }
        for row in reversed(last)
    ]
    remarks = list(_on_cycle_times(scope, period, total["cycle_count"]))
    if total["cycle_count"] > len(rows):
        remarks.append(
            f"The last {len(rows):,} of {total['cycle_count']:,} are shown one by one; the percentiles are of all."
        )
    whole: Row = {"task": None, "completed_at": None, "cycle_seconds": None}
    return Result(rows, whole, total, n=total["cycle_count"], notes=tuple(remarks))


CYCLE_TIMES = Report(
    slug="cycle_times",
    title="Cycle times",
    description=(
        "The cycle time of each completed task, by its completion. The lines are percentiles of all of them: 85 of 100 "
        "lie at or below the 85th."
    ),
    formula=(
        "Cycle time = completion − first start; a dot per completion "
        "(Vacanti, Actionable Agile Metrics for Predictability, 2015)."
    ),
    source="Completed episodes with a known start, by completion.",
    columns=(
        Column("task", "Task", "text", "dimension"),
        Column("completed_at", "Completed", "time", "dimension"),
        Column("cycle_seconds", "Cycle time", SECONDS),
    ),
    figures=tuple(columns_of("cycle", "Cycle time")),
    charts=(charts.Scatter(at="completed_at", value="cycle_seconds", name="task", title="Cycle times", lines=LINES),),
    query=_scatter,
    behind=durations(COMPLETED_THEN, "cycle", "cycle"),
    sample="cycle_count",
    headline=(),
)


def width_of(top: Exact) -> int:
    """How wide the bins are, in whole milliseconds, so that no more than ``BINS`` reach ``top`` milliseconds."""
    wide = (width * 1_000 for width in WIDTHS)
    return next((width for width in wide if top < width * BINS), WIDTHS[-1] * 1_000)


def _histogram(scope: Scope, period: Period, now: datetime) -> Result:
    done = with_cycle(scope, period)
    measured = cycle_times(done)
    total, top = in_units(measured), measured["cycle_p95_seconds"] or 0
    width = width_of(top)
    bins = min(int(top // width) + 1, BINS)
    # What lies above the bins is in one more, which is open.
    counted = episodes.counts(done.annotate(bin=Least(F("cycle") / Value(width), Value(bins))), "bin")
    numbers = [counted.get((place,), 0) for place in range(bins + 1)]
    if not numbers[-1]:
        numbers.pop()
    rows: list[Row] = []
    below = 0
    for place, number in enumerate(numbers if total["cycle_count"] else ()):
        below += number
        rows.append(
            {
                "from_seconds": settled(place * width, SECONDS),
                "to_seconds": settled((place + 1) * width, SECONDS) if place < bins else None,
                "completed": number,
                "share": share_of(number, total["cycle_count"]),
                "cumulative_share": share_of(below, total["cycle_count"]),
            }
        )
    whole: Row = {"from_seconds": None, "to_seconds": None, "completed": total["cycle_count"]}
    whole |= {"share": share_of(below, below), "cumulative_share": share_of(below, below)}
    return Result(rows, whole, total, n=below, notes=_on_cycle_times(scope, period, total["cycle_count"]))


def _in_bin(answer: Answer, row: Row) -> list[Where]:
    low, high = row.get("from_seconds"), row.get("to_seconds")
    bounds: list[Where] = [] if low is None else [{"field": "cycle", "at_least": low}]
    # Durations are whole milliseconds.
    return bounds if high is None else [*bounds, {"field": "cycle", "at_most": round(high - MILLISECOND, 3)}]


_BIN = COMPLETED_THEN.of("cycle_count").narrowed(_in_bin)

HISTOGRAM = Report(
    slug="cycle_time_histogram",
    title="Cycle times, distributed",
    description=(
        "How many completed tasks had a cycle time of which length. A long tail to the right says that averages "
        "mislead, and that a promise should rest on a percentile."
    ),
    formula="Completed with from ≤ cycle time < to; the last row is open where something lies beyond.",
    source="Completed episodes with a known start, by completion.",
    columns=(
        Column("from_seconds", "From", SECONDS, "dimension"),
        Column("to_seconds", "Up to", SECONDS, "dimension"),
        Column("completed", "Completed", "tasks"),
        Column("share", "Share", "percent", n="completed"),
        Column("cumulative_share", "Up to here", "percent", n="completed"),
    ),
    figures=tuple(columns_of("cycle", "Cycle time")),
    charts=(
        charts.Histogram(
            lower="from_seconds", upper="to_seconds", value="completed", title="Tasks by cycle time", lines=LINES
        ),
    ),
    query=_histogram,
    behind=durations(COMPLETED_THEN, "cycle", "cycle") | {"completed": _BIN, "share": _BIN},
    sample="completed",
    headline=("completed",),
)
