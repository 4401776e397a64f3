"""How the work is distributed over the agents."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum

from reports import charts
from reports.could_work import Worker, workers
from reports.definitions import Cell, Definition
from reports.periods import Period
from reports.predefined import runs
from reports.predefined.agents import (
    AGENT_COLUMNS,
    NOBODY,
    Who,
    added_up,
    all_agents,
    in_order,
    known_agents,
    name_of_row,
    whose,
)
from reports.predefined.completions import completed, notes_on_unknown
from reports.predefined.leads import (
    COMPLETED_THEN,
    TASKS_NOW,
    Where,
    going_on,
    is_,
    just_now,
    of_agent,
    of_credited,
    overlapping,
    so_far,
)
from reports.predefined.times import share_of
from reports.report import Answer, Column, Report, Result, Row
from reports.scopes import Scope
from reports.statistics import gini
from taskproject.times import stamp
from tasks.models import AgentKind, Assignment, Run, RunStatus, Task
from tasks.transitions import Status

ADDED = ("completed", "imported", "runs", "worked", "failed_runs", "expired_runs", "active_runs", "open_assignments")
KINDS = ((AgentKind.LLM, "llm", "LLM agents"), (AgentKind.HUMAN, "human", "people"))


def _waiting(scope: Scope) -> "QuerySet[Assignment]":
    return scope.of_task(Assignment.objects.unstarted())


def _open_tasks(scope: Scope) -> tuple[int, int]:
    """How many tasks that nobody has begun are assigned, and how many are not."""
    unassigned = scope.of_project(Task.objects.unassigned().filter(status=Status.NOT_STARTED)).count()
    # One that several agents are assigned to is one task.
    return _waiting(scope).aggregate(n=Count("task", distinct=True))["n"], unassigned


def _workload(scope: Scope, period: Period, now: datetime) -> Result:
    until = runs.until(period, now)
    done = (
        completed(scope, period)
        .values("agent_id", "credit")
        .annotate(n=Count("pk"), elsewhere=Count("pk", filter=Q(is_imported=True)))
        .values_list("agent_id", "credit", "n", "elsewhere")
    )
    credits = [(agent, credit, {"completed": n, "imported": elsewhere}) for agent, credit, n, elsewhere in done]
    ended_here = Q(ended_at__lt=period.end)
    by_agent = [
        runs.by_agent(
            runs.active_in(scope, period.start, until),
            runs=Count("pk"),
            worked=Sum("worked"),
            failed_runs=Count("pk", filter=ended_here & Q(outcome=RunStatus.FAILED)),
            expired_runs=Count("pk", filter=ended_here & Q(outcome=RunStatus.EXPIRED)),
        ),
        runs.by_agent(scope.of_task(Run.objects.active()), active_runs=Count("pk")),
        runs.by_agent(_waiting(scope), open_assignments=Count("pk")),
    ]
    could = workers(scope, period.start, until)
    ids = {agent for agent, _, _ in credits} | {agent for counted in by_agent for agent in counted}
    agents = known_agents(ids) | {pk: worker.agent for pk, worker in could.items()}

    empty: Row = dict.fromkeys(ADDED, 0)
    # Managers plan more than they do: they are shown only once they have done something.
    figures: dict[Who, Row] = {pk: dict(empty) for pk, worker in could.items() if not worker.plans}

    def add(who: Who, values: Row) -> None:
        row = figures.setdefault(who, dict(empty))
        for name, value in values.items():
            row[name] += value or 0

    for agent, credit, values in credits:
        add(whose(agent, agents, credit), values)
    for rows_of_agents in by_agent:
        for whom, values in rows_of_agents.items():
            add(whose(whom, agents), values)
    assigned, unassigned = _open_tasks(scope)
    if unassigned:
        add(NOBODY, {"open_assignments": unassigned})

    added = added_up(list(figures.values()), ADDED) | {"open_assignments": assigned + unassigned}
    rows = [name_of_row(who, agents) | _shown(row, added["completed"]) for who, row in figures.items()]
    total = all_agents() | _shown(added, added["completed"])
    return Result(
        in_order(rows, "completed", "worked_seconds"),
        total,
        _spread(could, figures),
        n=total["completed"],
        notes=notes_on_unknown(scope, period),
    )


def _shown(counted: Row, completed_in_all: int) -> Row:
    row = dict(counted)
    row["worked_seconds"] = int(row.pop("worked")) / 1000
    return row | {"share": share_of(row["completed"], completed_in_all)}


def _spread(could: Mapping[int, Worker], figures: Mapping[Who, Row]) -> Row:
    """The Gini coefficients of completed tasks, apart for LLM agents and people, and over how many they are."""
    spread: Row = {}
    for kind, name, _ in KINDS:
        counted = [
            figures[pk]["completed"]
            for pk, worker in could.items()
            if worker.agent.kind == kind and pk in figures and (not worker.plans or figures[pk]["completed"])
        ]
        value = gini(counted)
        spread |= {f"gini_{name}": None if value is None else round(value, 4), f"gini_{name}_n": len(counted)}
    return spread


def _not_ended_after(answer: Answer, row: Row) -> list[Where]:
    return [{"field": "ended", "before": stamp(answer.period.end)}]


_COMPLETED = COMPLETED_THEN.by(of_credited)
_RUNS = overlapping("runs", so_far).by(of_agent)
_ENDED = _RUNS.narrowed(_not_ended_after)
_NOT_STARTED = is_("status", Status.NOT_STARTED.value)
_ASSIGNED = going_on("assignments", just_now, _NOT_STARTED).by(of_agent)


def _waits(answer: Answer, row: Row) -> tuple[Definition, Cell] | None:
    """Assignments of an agent; tasks where they are nobody's, or all."""
    if row.get("agent") is not None:
        return _ASSIGNED(answer, row)
    where = (_NOT_STARTED, is_("unassigned", True)) if row["name"] == NOBODY else (_NOT_STARTED,)
    return TASKS_NOW.having(*where)(answer, row)


WORKLOAD = Report(
    slug="workload",
    title="Workload by agent",
    description=(
        "How the work is distributed over the agents: tasks completed in the period, time worked in runs within it, "
        "and runs that failed or lost their lease in it; active runs and tasks not yet started as of now. A completion "
        "before an import is credited to the one assignee that the file names, else it is in the row “Several” or "
        "“Nobody”. A task that several agents are assigned to is in the row of each and counts once in the total. The "
        "Gini coefficients are over those who could have been given work in the period."
    ),
    formula="Gini = 2·Σ i·x_i / (n·Σ x) − (n + 1)/n over the ascending x_i (Sen, On Economic Inequality, 1973).",
    source="Episodes and runs; active runs and assignments as of now.",
    columns=(
        *AGENT_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("imported", "of these, imported as completed", "tasks"),
        Column("share", "Share of completed", "percent", n="completed"),
        Column("runs", "Runs", "runs"),
        Column("worked_seconds", "Time worked", "seconds", n="runs"),
        Column("failed_runs", "Failed runs", "runs"),
        Column("expired_runs", "Expired runs", "runs"),
        Column("active_runs", "Active runs (now)", "runs"),
        Column("open_assignments", "Not yet started (now)", "tasks"),
    ),
    figures=tuple(
        column
        for _, name, words in KINDS
        for column in (
            Column(
                f"gini_{name}",
                f"Gini coefficient of completed tasks, {words}: 0 even, 1 all with one",
                "ratio",
                n=f"gini_{name}_n",
            ),
            Column(f"gini_{name}_n", f"Counted in it, {words}", "agents", "n"),
        )
    ),
    charts=(charts.Bars(label="name", value="completed", share="share", of="agent", title="Completed tasks by agent"),),
    query=_workload,
    behind={
        "completed": _COMPLETED,
        "imported": _COMPLETED.having(is_("imported", True)),
        "share": _COMPLETED,
        "runs": _RUNS,
        "worked_seconds": _RUNS,
        "failed_runs": _ENDED.having(is_("outcome", RunStatus.FAILED.value)),
        "expired_runs": _ENDED.having(is_("outcome", RunStatus.EXPIRED.value)),
        "active_runs": going_on("runs", just_now).by(of_agent),
        "open_assignments": _waits,
    },
    sample="completed",
    headline=("completed", "worked_seconds", "active_runs", "open_assignments"),
)
