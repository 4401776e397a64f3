"""Whether work in progress, throughput and cycle time agree, as Little's law says they must over a long time."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import QuerySet

from reports import charts
from reports.formats import DAY
from reports.measures import Count, Sum, Summary, Values
from reports.periods import Period
from reports.predefined import episodes
from reports.predefined.leads import COMPLETED_THEN, is_, is_set
from reports.report import BUCKET_COLUMNS, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from reports.units import SECONDS
from reports.vocabulary.episodes import continues_another
from tasks.models import Episode, EpisodeEnd

_DAY = DAY * 1_000
_NOTHING: Values = {"n": 0, "time": 0}


@dataclass(frozen=True, slots=True)
class Law:
    """Little's law over a time: mean work in progress, completions a day, and their mean cycle time in days."""

    wip: Fraction | None
    throughput: Fraction | None
    cycle: Fraction | None

    @property
    def expected(self) -> Fraction | None:
        """The mean work in progress that the law predicts."""
        return None if self.throughput is None or self.cycle is None else self.throughput * self.cycle

    @property
    def gap(self) -> Fraction | None:
        """By how much the work in progress exceeds the prediction."""
        return None if self.wip is None or self.expected is None else self.wip - self.expected

    @property
    def gap_share(self) -> Fraction | None:
        """The gap as a share of the work in progress."""
        return None if self.gap is None or not self.wip else self.gap / self.wip


@dataclass(slots=True)
class _Totals:
    """What is added up over a time, in milliseconds: its length, the time in progress of all tasks, and cycle times."""

    elapsed: int = 0
    in_progress: int = 0
    completed: int = 0
    cycles: int = 0

    def add(self, other: "_Totals") -> None:
        self.elapsed += other.elapsed
        self.in_progress += other.in_progress
        self.completed += other.completed
        self.cycles += other.cycles

    def law(self) -> Law:
        return Law(
            wip=Fraction(self.in_progress, self.elapsed) if self.elapsed else None,
            throughput=Fraction(self.completed * _DAY, self.elapsed) if self.elapsed else None,
            cycle=Fraction(self.cycles, self.completed * _DAY) if self.completed else None,
        )

    def row(self) -> Row:
        law = self.law()
        return {
            "completed": self.completed,
            "wip": _rounded(law.wip),
            "throughput": _rounded(law.throughput),
            "cycle_average_seconds": _rounded(law.cycle, by=DAY),
            "expected_wip": _rounded(law.expected),
            "gap": _rounded(law.gap),
            "gap_percent": _rounded(law.gap_share, by=100),
        }


def _rounded(value: Fraction | None, *, by: int = 1) -> float | None:
    return None if value is None else float(round(value * by, 3))


def _begun(scope: Scope) -> "QuerySet[Episode]":
    begun = episodes.all_of(scope).filter(episodes.END_KNOWN, started_at__isnull=False)
    return begun.exclude(continues_another())


def _moves(rows: "QuerySet[Episode]", field: str, period: Period) -> Summary:
    """By bucket: how many have their time ``field`` in it, and how long after the period's start, added up."""
    return episodes.by_bucket(
        rows.filter(episodes.within(field, period)),
        field,
        period,
        {"n": Count(), "time": Sum("time")},
        time=episodes.milliseconds_after(period.start, field),
    )


def _at_start(begun: "QuerySet[Episode]", period: Period) -> int:
    return episodes.count(begun.filter(episodes.goes_on_at(period.start), started_at__lt=period.start))


def _milliseconds(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds() * 1_000)


def _littles_law(scope: Scope, period: Period, now: datetime) -> Result:
    begun = _begun(scope)
    # How they ended says nothing more, but the index of the ends begins with it.
    ended = begun.filter(end__in=EpisodeEnd.values)
    starts, ends = _moves(begun, "started_at", period), _moves(ended, "ended_at", period)
    completed = episodes.by_bucket(
        episodes.with_durations(begun.filter(episodes.within("ended_at", period), end=EpisodeEnd.COMPLETED)),
        "ended_at",
        period,
        {"n": Count(), "time": Sum("cycle")},
    )
    level, until, whole, rows = _at_start(begun, period), episodes.as_of(period, now), _Totals(), []
    for position, bucket in enumerate(episodes.buckets_so_far(period, now)):
        begin, end, done = (_NOTHING | episodes.at(moves, position) for moves in (starts, ends, completed))
        stop = min(bucket.end, until)
        elapsed, since = _milliseconds(bucket.start, stop), _milliseconds(period.start, stop)
        # What stood at the start, plus the rest of the bucket for each that began, less the same for each that ended.
        rest_begun, rest_ended = (moves["n"] * since - moves["time"] for moves in (begin, end))
        part = _Totals(elapsed, level * elapsed + rest_begun - rest_ended, done["n"], done["time"])
        whole.add(part)
        level += begin["n"] - end["n"]
        rows.append(bucket_row(bucket, now) | part.row())
    notes = (
        "The law is about averages over a time in which as many tasks begin as are completed; what is begun and then "
        "dropped or left to age widens the gap.",
    )
    return Result(rows, total_row(period, now) | whole.row(), n=whole.completed, notes=notes)


_DONE = COMPLETED_THEN.having(is_set("started"), is_("continues", False))

LITTLES_LAW = Report(
    slug="littles_law",
    title="Little’s law check",
    description=(
        "The mean number of tasks in progress (begun and not ended) beside what throughput and cycle time predict "
        "for it. A large gap says that the flow is not stable, so that forecasts from its averages mislead. Tasks "
        "whose start or end is not known are left out on both sides."
    ),
    formula="Work in progress ≈ throughput × cycle time (Little, A Proof for the Queuing Formula: L = λW, 1961).",
    source="Episodes, by first start and by end.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed with a known start", "tasks", "n"),
        Column("wip", "Mean in progress", "ratio"),
        Column("throughput", "Completed a day", "ratio", n="completed"),
        Column("cycle_average_seconds", "Mean cycle time", SECONDS, n="completed"),
        Column("expected_wip", "Throughput × cycle time", "ratio", n="completed"),
        Column("gap", "Gap", "ratio", n="completed"),
        Column("gap_percent", "Gap in percent", "percent", n="completed"),
    ),
    charts=(
        charts.Lines(
            (charts.Series("wip", "Mean in progress"), charts.Series("expected_wip", "Throughput × cycle time")),
            title="Work in progress, and what Little's law predicts",
            unit="tasks",
        ),
    ),
    query=_littles_law,
    behind={
        **dict.fromkeys(("completed", "throughput", "expected_wip", "gap", "gap_percent"), _DONE),
        "cycle_average_seconds": _DONE.of("cycle_mean"),
    },
    sample="completed",
    headline=("wip", "expected_wip", "gap", "gap_percent"),
)
