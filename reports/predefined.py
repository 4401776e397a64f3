"""The reports that come with the house, each a small declared object: what it shows, and the query behind it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from reports import charts, measures
from reports.charts import Chart
from reports.measures import Average, Measure, Percentile, summarise
from reports.periods import Bucket, Period
from reports.scopes import Scope
from reports.sql import Seconds
from tasks.models import Agent, Assignment, Role, Run, RunStatus, Task
from tasks.transitions import Status

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a report: its name in JSON and CSV, its label for people, and what it is counted in."""

    name: str
    label: str
    unit: str


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a report: a dict per row by column name, the same over all rows, and single figures."""

    rows: list[Row]
    total: Row
    figures: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A report anyone may ask for. ``query`` takes scope, period and the present time, and touches nothing."""

    slug: str
    title: str
    description: str
    columns: tuple[Column, ...]
    charts: tuple[Chart, ...]
    query: Callable[[Scope, Period, datetime], Result]
    sample: str
    """The column whose total says on how many facts the report rests."""
    headline: tuple[str, ...]
    """The columns whose totals are told first."""
    figures: tuple[Column, ...] = ()


BUCKET_COLUMNS = (
    Column("bucket", "Period", "date"),
    Column("starts_at", "From", "time"),
    Column("ends_at", "Before", "time"),
    Column("is_partial", "Partial", "flag"),
)


def _bucket_row(bucket: Bucket, now: datetime) -> Row:
    """What names a bucket; one that the period cuts, or that is not over yet, is partial."""
    is_partial = bucket.is_partial or bucket.end > now
    return {
        "bucket": bucket.first_day,
        "starts_at": bucket.start,
        "ends_at": bucket.end,
        "is_partial": is_partial,
    }


def _total_row(period: Period, now: datetime) -> Row:
    return {"bucket": None, "starts_at": period.start, "ends_at": period.end, "is_partial": period.end > now}


# Completed


def _per_bucket(facts: QuerySet, time: str, period: Period) -> dict[int, int]:
    counted = facts.order_by().annotate(position=measures.bucket(time, period)).values("position")
    return dict(counted.annotate(n=Count("pk")).values_list("position", "n"))


def _completed(scope: Scope, period: Period, now: datetime) -> Result:
    here = _per_bucket(measures.completions(scope, period), "at", period)
    elsewhere = _per_bucket(measures.imported_completions(scope, period), "completed", period)
    rows = [
        _bucket_row(bucket, now)
        | {
            "completed": here.get(position, 0) + elsewhere.get(position, 0),
            "imported": elsewhere.get(position, 0),
        }
        for position, bucket in enumerate(period.buckets)
    ]
    total = {name: sum(row[name] for row in rows) for name in ("completed", "imported")}
    return Result(rows, _total_row(period, now) | total)


COMPLETED = Report(
    slug="completed",
    title="Completed tasks",
    description=(
        "How many tasks were completed, by the time of completion. A task that was reopened and completed again "
        "counts twice; one that was completed before it was imported counts at the time its file gives."
    ),
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("imported", "of these, imported as completed", "tasks"),
    ),
    charts=(charts.Columns(value="completed", title="Completed tasks"),),
    query=_completed,
    sample="completed",
    headline=("completed",),
)


# Time to complete

PERCENTILES = (("median", "Median", 0.5), ("p85", "85th percentile", 0.85), ("p95", "95th percentile", 0.95))
DURATIONS = (("lead", "Lead time"), ("cycle", "Cycle time"))


def _duration_measures() -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for column, _ in DURATIONS:
        found[f"{column}_count"] = measures.Count(column)
        found[f"{column}_average_seconds"] = Average(column)
        for name, _, fraction in PERCENTILES:
            found[f"{column}_{name}_seconds"] = Percentile(column, fraction)
    return found


def _rounded(values: Row) -> Row:
    """Durations to the millisecond: what lies behind it is an artefact of how each database adds up."""
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}


def _time_to_complete(scope: Scope, period: Period, now: datetime) -> Result:
    facts = measures.completed_tasks(scope, period).annotate(position=measures.bucket("completed_at", period))
    wanted = _duration_measures()
    summary = summarise(facts, by="position", measures=wanted)
    nothing = {name: 0 if isinstance(measure, measures.Count) else None for name, measure in wanted.items()}
    rows = [
        _bucket_row(bucket, now) | _rounded(summary.groups.get(position, nothing))
        for position, bucket in enumerate(period.buckets)
    ]
    return Result(rows, _total_row(period, now) | _rounded(summary.total))


def _duration_columns() -> Iterable[Column]:
    for column, label in DURATIONS:
        yield Column(f"{column}_count", f"{label}: tasks", "tasks")
        yield Column(f"{column}_average_seconds", f"{label}: average", "seconds")
        for name, words, _ in PERCENTILES:
            yield Column(f"{column}_{name}_seconds", f"{label}: {words.lower()}", "seconds")


TIME_TO_COMPLETE = Report(
    slug="time_to_complete",
    title="Time to complete",
    description=(
        "Lead time (created to completed) and cycle time (first started to completed) of the tasks whose last "
        "completion lies in the period; imported tasks count with the times of their file, and without a start in "
        "it only for the lead time. Percentiles are interpolated linearly between the two nearest values."
    ),
    columns=(*BUCKET_COLUMNS, *_duration_columns()),
    charts=tuple(
        charts.Strips(
            count=f"{column}_count",
            median=f"{column}_median_seconds",
            upper=f"{column}_p85_seconds",
            top=f"{column}_p95_seconds",
            title=f"{label} of completed tasks",
            table=tuple(name for name in _duration_measures() if name.startswith(column)),
        )
        for column, label in DURATIONS
    ),
    query=_time_to_complete,
    sample="lead_count",
    headline=("lead_count", "lead_average_seconds", "lead_median_seconds", "lead_p85_seconds", "cycle_median_seconds"),
)


# Workload


def gini(values: Iterable[float]) -> float | None:
    """Gini coefficient of ``values`` (none negative): 0 all equal, towards 1 all with one; None for nothing to share.

    ``2 · Σ i·v[i] / (n · Σ v) − (n + 1) / n`` over the ascending values, i from 1
    (Sen, *On Economic Inequality*, 1973).
    """
    ordered = sorted(values)
    total, n = sum(ordered), len(ordered)
    if not total:
        return None
    return 2 * sum(place * value for place, value in enumerate(ordered, start=1)) / (n * total) - (n + 1) / n


def _by_agent(rows: QuerySet, **aggregates: Any) -> dict[int | None, Row]:
    found = rows.order_by().values("agent_id").annotate(**aggregates)
    return {row.pop("agent_id"): row for row in found}


def _worked(scope: Scope, period: Period, now: datetime) -> dict[int | None, Row]:
    """Per agent: seconds of runs inside the period (a run still active counts up to now), and runs that went wrong."""
    until = max(period.start, min(period.end, now))
    runs = measures.runs_in(scope, period).annotate(
        began=Case(When(started_at__lt=period.start, then=Value(period.start)), default=F("started_at")),
        stopped=Case(When(ended_at__lt=until, then=F("ended_at")), default=Value(until)),
    )
    ended_here = Q(ended_at__lt=period.end)
    return _by_agent(
        runs,
        # A run that began after ``until`` (by a clock that runs ahead) has not worked yet.
        worked_seconds=Coalesce(Sum(Seconds("began", "stopped"), filter=Q(started_at__lt=until)), 0.0),
        failed_runs=Count("pk", filter=ended_here & Q(status=RunStatus.FAILED)),
        expired_runs=Count("pk", filter=ended_here & Q(status=RunStatus.EXPIRED)),
    )


def _workers(scope: Scope, known: Iterable[int | None]) -> dict[int, Agent]:
    """The agents to show: who may be given work in the scope, and whoever has figures there."""
    # Managers plan more than they do: they are shown once they did something, so that they bend no distribution.
    working = Agent.objects.filter(
        user__memberships__project_id__in=scope.project_ids, user__memberships__role__in=(Role.WORKER, Role.REVIEWER)
    )
    with_figures = Q(pk__in=[pk for pk in known if pk is not None])
    return {agent.pk: agent for agent in Agent.objects.filter(Q(pk__in=working.values("pk")) | with_figures)}


def _workload(scope: Scope, period: Period, now: datetime) -> Result:
    completed = _by_agent(measures.completions(scope, period), completed=Count("pk"))
    imported = measures.imported_completions(scope, period).count()
    worked = _worked(scope, period, now)
    active = _by_agent(scope.of_task(Run.objects.active()), active_runs=Count("pk"))
    waiting = _by_agent(scope.of_task(Assignment.objects.unstarted()), open_assignments=Count("pk"))
    unassigned = scope.of_project(Task.objects.unassigned().filter(status=Status.NOT_STARTED)).count()
    agents = _workers(scope, {*completed, *worked, *active, *waiting})

    empty: Row = dict.fromkeys(WORKLOAD_FIGURES, 0)
    figures: dict[int | None, Row] = {pk: dict(empty) for pk in agents}
    nobody: Row = empty | {"agent": None, "name": "Nobody", "kind": None}
    nobody |= {"completed": imported, "open_assignments": unassigned}
    for found in (completed, worked, active, waiting):
        for pk, row in found.items():
            if pk in figures:
                figures[pk] |= row
            else:
                # An agent that is gone, or a completion that no agent is credited with.
                nobody |= {name: nobody[name] + value for name, value in row.items()}
    rows: list[Row] = [
        {"agent": agents[pk].slug, "name": agents[pk].name, "kind": agents[pk].kind} | row
        for pk, row in figures.items()
        if pk is not None
    ]
    rows.sort(key=lambda row: (-row["completed"], -row["worked_seconds"], row["agent"]))
    inequality = gini([row["completed"] for row in rows])
    rows.append(nobody)
    total: Row = {"agent": None, "name": "All", "kind": None}
    total |= {name: sum(row[name] for row in rows) for name in WORKLOAD_FIGURES}
    for row in [*rows, total]:
        row["worked_seconds"] = round(float(row["worked_seconds"]), 3)
        row["share"] = round(100 * row["completed"] / total["completed"], 2) if total["completed"] else None
    return Result(rows, total, {"gini": None if inequality is None else round(inequality, 4)})


WORKLOAD_FIGURES = ("completed", "worked_seconds", "failed_runs", "expired_runs", "active_runs", "open_assignments")

WORKLOAD = Report(
    slug="workload",
    title="Workload by agent",
    description=(
        "How the work is distributed over the agents: tasks completed, time worked in runs and runs that failed or "
        "lost their lease within the period; active runs and assignments not yet started as they are now. The row "
        "“Nobody” holds open tasks without an assignee, and tasks that were completed before they were imported."
    ),
    columns=(
        Column("agent", "Agent", "text"),
        Column("name", "Name", "text"),
        Column("kind", "Kind", "text"),
        Column("completed", "Completed", "tasks"),
        Column("share", "Share of completed", "percent"),
        Column("worked_seconds", "Time worked", "seconds"),
        Column("failed_runs", "Failed runs", "runs"),
        Column("expired_runs", "Expired runs", "runs"),
        Column("active_runs", "Active runs (now)", "runs"),
        Column("open_assignments", "Not yet started (now)", "tasks"),
    ),
    figures=(Column("gini", "Gini coefficient of completed tasks over agents: 0 even, 1 all with one", "ratio"),),
    charts=(charts.Bars(label="name", value="completed", share="share", title="Completed tasks by agent"),),
    query=_workload,
    sample="completed",
    headline=("completed", "worked_seconds", "active_runs", "open_assignments"),
)


REPORTS: dict[str, Report] = {report.slug: report for report in (COMPLETED, TIME_TO_COMPLETE, WORKLOAD)}
