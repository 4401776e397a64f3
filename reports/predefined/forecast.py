"""When what is open will be done, and how many will be done by then."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Min, OuterRef, Subquery

from reports import charts
from reports.forecasting import DRAWS, refusal, simulate
from reports.periods import MAX_BUCKETS, BucketSize, Period, midnight
from reports.predefined import episodes, intervals
from reports.predefined.completions import notes_on_unknown
from reports.predefined.leads import as_of, going_on
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from tasks.models import Episode, Project

CONFIDENCES = (50, 70, 85, 95)
#: For how many days ahead the report says how many will be done.
AHEAD = (7, 14, 28, 56)


def throughput(scope: Scope, period: Period, now: datetime) -> list[int]:
    """Completions on each whole day of the period up to now, from the day on which the first task came in.

    At most the last ``MAX_BUCKETS`` days.
    """
    zone = period.zone
    first = period.start.astimezone(zone).date()
    if midnight(first, zone) < period.start:
        first += timedelta(days=1)
    entered = _first_entry(scope)
    if entered is None:
        return []
    first = max(first, entered.astimezone(zone).date())
    last = min(period.end, now).astimezone(zone).date()
    first = max(first, last - timedelta(days=MAX_BUCKETS))
    if first >= last:
        return []
    days = Period(midnight(first, zone), midnight(last, zone), BucketSize.DAY, zone)
    counted = episodes.by_bucket(episodes.completed(scope, days), "ended_at", days)
    return [episodes.at(counted, place).get("n", 0) for place in range(len(days.buckets))]


def _first_entry(scope: Scope) -> datetime | None:
    """When the first task of the scope came in, as far as that is known."""
    known = Episode.objects.filter(episodes.ENTRY_KNOWN, project=OuterRef("pk")).order_by("entered_at")
    # One index lookup per project; the minimum over all projects would read every episode.
    firsts = Project.objects.filter(pk__in=scope.project_ids).annotate(first=Subquery(known.values("entered_at")[:1]))
    return firsts.aggregate(earliest=Min("first"))["earliest"]


def _forecast(scope: Scope, period: Period, now: datetime) -> Result:
    moment = episodes.as_of(period, now)
    days = throughput(scope, period, now)
    backlog = episodes.count(intervals.all_of(scope).filter(intervals.open_at(moment)))
    figures: Row = {"open": backlog, "completed": sum(days), "days": len(days)}
    total: Row = {"confidence": None, "days_until_done": None, "done_by": None} | {_ahead(day): None for day in AHEAD}
    if (sentence := refusal(days)) is not None:
        return Result([], total, figures, n=backlog + sum(days), notes=(sentence,))
    futures = simulate(days, backlog, by_days=AHEAD)
    rows: list[Row] = []
    for confidence in CONFIDENCES:
        needed = futures.days_at(confidence / 100)
        row = {"confidence": confidence, "days_until_done": needed, "done_by": _last_day(moment, needed, period.zone)}
        rows.append(row | {_ahead(day): futures.done_at(confidence / 100, day) for day in AHEAD})
    conditions = (
        f"From {sum(days):,} completions on {len(days):,} whole days, by {DRAWS:,} draws, as of "
        f"{moment.astimezone(period.zone):%Y-%m-%d %H:%M}.",
        f"It holds if the days to come are like those, if the {backlog:,} open tasks are like those completed, and if "
        "none are added or dropped.",
    )
    return Result(rows, total | figures, figures, n=sum(days), notes=(*conditions, *notes_on_unknown(scope, period)))


def _last_day(moment: datetime, days: int | None, zone: ZoneInfo) -> date | None:
    """The last of so many whole days after ``moment``; None: never."""
    if days is None:
        return None
    today = moment.astimezone(zone).date()
    first = today if midnight(today, zone) == moment else today + timedelta(days=1)
    return first + timedelta(days=days - 1) if days else today


def _ahead(day: int) -> str:
    return f"done_in_{day}_days"


FORECAST = Report(
    slug="forecast",
    title="Forecast",
    description=(
        "When the tasks that are open will all be completed, and how many will be completed within some days, each "
        "with how sure that is. It draws days from the period at random, again and again."
    ),
    formula=(
        f"{DRAWS:,} futures, each day one of the past whole days drawn at random; a row says what holds in that share "
        "of them (Monte Carlo: Vacanti, Actionable Agile Metrics for Predictability, 2015)."
    ),
    source="Completed episodes by day, and what is open.",
    columns=(
        Column("confidence", "Confidence", "percent", "dimension"),
        Column("done_by", "All done by", "date"),
        Column("days_until_done", "Days until then", "days"),
        *(Column(_ahead(day), f"At least, in {day} days", "tasks") for day in AHEAD),
    ),
    figures=(
        Column("open", "Open tasks", "tasks"),
        Column("completed", "Completions drawn from", "tasks", "n"),
        Column("days", "Days drawn from", "days"),
    ),
    charts=(
        charts.Bars(
            label="confidence",
            value="days_until_done",
            title="Days until all is done, by confidence in percent",
            unit="days",
        ),
    ),
    query=_forecast,
    behind={"open": going_on("intervals", as_of)},
    sample="completed",
    headline=(),
)
