"""How the work is distributed over the agents."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from reports import charts, facts
from reports.periods import Period
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from reports.sql import Seconds
from reports.statistics import gini
from tasks.models import Agent, Assignment, Role, Run, RunStatus, Task
from tasks.transitions import Status

WORKLOAD_FIGURES = ("completed", "worked_seconds", "failed_runs", "expired_runs", "active_runs", "open_assignments")


def _by_agent(rows: QuerySet, **aggregates: Any) -> dict[int | None, Row]:
    counted = rows.order_by().values("agent_id").annotate(**aggregates)
    return {row.pop("agent_id"): row for row in counted}


def _worked(scope: Scope, period: Period, now: datetime) -> dict[int | None, Row]:
    """Per agent: seconds of runs within the period (an active run counts up to now), and runs that went wrong."""
    until = max(period.start, min(period.end, now))
    runs = facts.runs_in(scope, period).annotate(
        began=Case(When(started_at__lt=period.start, then=Value(period.start)), default=F("started_at")),
        stopped=Case(When(ended_at__lt=until, then=F("ended_at")), default=Value(until)),
    )
    ended_here = Q(ended_at__lt=period.end)
    return _by_agent(
        runs,
        # A run that started after ``until`` (by a fast clock) has not worked yet.
        worked_seconds=Coalesce(Sum(Seconds("began", "stopped"), filter=Q(started_at__lt=until)), 0.0),
        failed_runs=Count("pk", filter=ended_here & Q(status=RunStatus.FAILED)),
        expired_runs=Count("pk", filter=ended_here & Q(status=RunStatus.EXPIRED)),
    )


def _workers(scope: Scope, known: Iterable[int | None]) -> dict[int, Agent]:
    """The agents to show: those that may be given work in the scope, and those with figures there."""
    # Managers plan more than they do: they are shown only once they have done something, so as not to distort it.
    working = Agent.objects.filter(
        user__memberships__project_id__in=scope.project_ids, user__memberships__role__in=(Role.WORKER, Role.REVIEWER)
    )
    with_figures = Q(pk__in=[pk for pk in known if pk is not None])
    return {agent.pk: agent for agent in Agent.objects.filter(Q(pk__in=working.values("pk")) | with_figures)}


def _workload(scope: Scope, period: Period, now: datetime) -> Result:
    completed = _by_agent(facts.completions(scope, period), completed=Count("pk"))
    imported = facts.imported_completions(scope, period).count()
    worked = _worked(scope, period, now)
    active = _by_agent(scope.of_task(Run.objects.active()), active_runs=Count("pk"))
    waiting = _by_agent(scope.of_task(Assignment.objects.unstarted()), open_assignments=Count("pk"))
    unassigned = scope.of_project(Task.objects.unassigned().filter(status=Status.NOT_STARTED)).count()
    agents = _workers(scope, {*completed, *worked, *active, *waiting})

    empty: Row = dict.fromkeys(WORKLOAD_FIGURES, 0)
    figures: dict[int | None, Row] = {pk: dict(empty) for pk in agents}
    nobody: Row = empty | {"agent": None, "name": "Nobody", "kind": None}
    nobody |= {"completed": imported, "open_assignments": unassigned}
    for by_agent in (completed, worked, active, waiting):
        for pk, row in by_agent.items():
            if pk in figures:
                figures[pk] |= row
            else:
                # A deleted agent, or a completion that is not credited to any agent.
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


WORKLOAD = Report(
    slug="workload",
    title="Workload by agent",
    description=(
        "How the work is distributed over the agents: completed tasks, time worked in runs, and runs that failed or "
        "lost their lease in the period; active runs and assignments not yet started as of now. The row “Nobody” "
        "has open tasks without an assignee, and tasks that were completed before they were imported."
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
    charts=(charts.Bars(label="name", value="completed", share="share", of="agent", title="Completed tasks by agent"),),
    query=_workload,
    sample="completed",
    headline=("completed", "worked_seconds", "active_runs", "open_assignments"),
)
