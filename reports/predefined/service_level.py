"""The service level: within which time 85 % were completed, and how many keep it."""

import math
from datetime import datetime

from django.db.models import Q, QuerySet

from reports import charts
from reports.engines import summarise
from reports.measures import Count, Percentile
from reports.periods import Period
from reports.predefined import episodes
from reports.predefined.completions import notes_on_unknown
from reports.predefined.cycle_times import with_cycle
from reports.predefined.leads import COMPLETED_THEN, Where
from reports.predefined.times import share_of
from reports.report import BUCKET_COLUMNS, Answer, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from reports.units import SECONDS, settled
from tasks.models import Episode, EpisodeEnd

LEVEL = 0.85
#: Fewer completions say too little about the next one.
LEAST = 30


def basis(scope: Scope, period: Period) -> "QuerySet[Episode]":
    """The completions that the level rests on: those of the period or, if they are too few, the last by its end.

    There may be fewer than ``LEAST`` in all.
    """
    here = with_cycle(scope, period)
    if episodes.count(here) >= LEAST:
        return here
    known = episodes.all_of(scope).filter(
        episodes.END_KNOWN, end=EpisodeEnd.COMPLETED, ended_at__lt=period.end, started_at__isnull=False
    )
    last = known.order_by("-ended_at", "-task_id", "-number").values_list("pk", flat=True)[:LEAST]
    return episodes.with_durations(episodes.all_of(scope).filter(pk__in=list(last)))


def _service_level(scope: Scope, period: Period, now: datetime) -> Result:
    rests_on = summarise(basis(scope, period), measures={"n": Count(), "level": Percentile("cycle", LEVEL)}).total
    n, level = int(rests_on["n"] or 0), rests_on["level"]
    is_enough = n >= LEAST and level is not None
    within = Q(cycle__lte=math.floor(level or 0)) if is_enough else Q(pk=None)
    summary = episodes.by_bucket(
        with_cycle(scope, period),
        "ended_at",
        period,
        {"completed": Count(), "within": Count("kept")},
        kept=episodes.one_if(within),
    )

    def row(values: Row) -> Row:
        counted = {"completed": 0, "within": 0} | values
        share = share_of(counted["within"], counted["completed"])
        return counted | {"share": share} if is_enough else counted | {"within": None, "share": None}

    rows = [bucket_row(bucket, now) | row(episodes.at(summary, place)) for place, bucket in enumerate(period.buckets)]
    total = row(summary.total)
    remarks = list(notes_on_unknown(scope, period))
    if not is_enough:
        remarks.append(
            f"A service level needs {LEAST} completions with a known cycle time; by the end of this period there "
            f"{'is' if n == 1 else 'are'} {n:,}."
        )
    elif n > total["completed"]:
        remarks.append(f"The level is of the last {n:,} completions: the period alone has {total['completed']:,}.")
    figures = {"level_seconds": settled(level, SECONDS) if is_enough else None, "basis": n}
    # Cycle times are whole milliseconds, whereas the level lies between two of them.
    figures["kept_up_to_seconds"] = math.floor(level) / 1000 if is_enough and level is not None else None
    return Result(rows, total_row(period, now) | total, figures, n=total["completed"], notes=tuple(remarks))


def _within_level(answer: Answer, row: Row) -> list[Where]:
    return [{"field": "cycle", "at_most": answer.figures["kept_up_to_seconds"]}]


def _of_period(answer: Answer, row: Row) -> list[Where] | None:
    """What the level rests on leads to the period's completions, unless earlier ones are among it."""
    return [] if answer.figures["basis"] == answer.total["completed"] else None


_MEASURED = COMPLETED_THEN.of("cycle_count")

SERVICE_LEVEL = Report(
    slug="service_level",
    title="Service level",
    description=(
        "The time within which 85 % of the tasks were completed once they had been started: what the next one can be "
        "promised. It rests on the period's completions or, if they are fewer than 30, on the last 30 by its end. Each "
        "row says how many of its completions kept it."
    ),
    formula="Level = 85th percentile of cycle times (service level expectation: The Kanban Guide, 2020).",
    source="Completed episodes with a known start, by completion.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed with a known cycle time", "tasks", "n"),
        Column("within", "Within the level", "tasks"),
        Column("share", "Share within the level", "percent", n="completed"),
    ),
    figures=(
        Column("level_seconds", "85 % within", SECONDS, n="basis", needs=LEAST),
        Column("basis", "from the last", "tasks", "n"),
    ),
    charts=(
        charts.Lines(
            (charts.Series("share", "Within the level"),), title="Share of completions within the level", unit="percent"
        ),
    ),
    query=_service_level,
    behind={
        "completed": _MEASURED,
        "share": _MEASURED,
        "within": _MEASURED.narrowed(_within_level),
        "level_seconds": COMPLETED_THEN.of("cycle_p85").narrowed(_of_period),
        "basis": _MEASURED.narrowed(_of_period),
    },
    sample="completed",
    headline=("share", "completed"),
)
