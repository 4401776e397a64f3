"""How much of the time in which agents could work they worked."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Count, Sum

from reports import charts
from reports.could_work import Worker, workers
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
from reports.predefined.leads import of_agent, overlapping, so_far
from reports.predefined.times import share_of
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope

ADDED = ("could", "capacity", "within", "outside", "runs")
NO_TIME: Row = dict.fromkeys(ADDED, 0)


def _within(
    scope: Scope, could: Mapping[int, Worker], worked: Mapping[int | None, Row], whole: tuple[datetime, datetime]
) -> dict[int, int]:
    """Per agent: milliseconds in runs while it could be given work. ``whole``: between what ``worked`` counts."""
    active = {pk: worker.spans for pk, worker in could.items() if pk in worked}
    parts = {pk: spans for pk, spans in active.items() if [(span.start, span.end) for span in spans] != [whole]}
    always = {pk: int(worked[pk]["worked"]) for pk in active.keys() - parts.keys()}
    return always | runs.milliseconds_within(scope, parts, *whole)


def _utilisation(scope: Scope, period: Period, now: datetime) -> Result:
    until = runs.until(period, now)
    active = runs.active_in(scope, period.start, until)
    worked = runs.by_agent(active, runs=Count("pk"), worked=Sum("worked"))
    could = workers(scope, period.start, until)
    within = _within(scope, could, worked, (period.start, until))
    agents = known_agents(worked) | {pk: worker.agent for pk, worker in could.items()}

    figures: dict[Who, Row] = {}
    for pk, worker in could.items():
        if not worker.plans or pk in worked:
            figures[pk] = NO_TIME | {
                "could": sum(runs.milliseconds(span) for span in worker.spans),
                "capacity": sum(runs.milliseconds(span) * span.capacity for span in worker.spans),
            }
    for agent, row in worked.items():
        who = whose(agent, agents)
        values = figures.setdefault(who, dict(NO_TIME))
        # Parts of a run are rounded each by itself, and may come to a millisecond more than the whole.
        inside = min(within.get(agent, 0), int(row["worked"])) if agent is not None else 0
        values["within"] += inside
        values["outside"] += int(row["worked"]) - inside
        values["runs"] += row["runs"]
    figures.pop(NOBODY, None)
    rows = [name_of_row(who, agents) | _shown(row) for who, row in figures.items()]
    total = all_agents() | _shown(added_up(list(figures.values()), ADDED))
    return Result(in_order(rows, "utilisation", "worked_seconds"), total, n=total["runs"])


def _shown(row: Row) -> Row:
    return {
        "utilisation": share_of(row["within"], row["capacity"]),
        "runs": row["runs"],
        "worked_seconds": row["within"] / 1000,
        "could_seconds": row["could"] / 1000,
        "capacity_seconds": row["capacity"] / 1000,
        "outside_seconds": row["outside"] / 1000,
    }


_RUNS = overlapping("runs", so_far).by(of_agent)

UTILISATION = Report(
    slug="utilisation",
    title="Utilisation of agents",
    description=(
        "How much of the time in which agents could work here they worked here. An agent could work while it was a "
        "member in a role that works, enabled, not paused, and within its working hours if it keeps any; at each "
        "moment as things were then. Whether an LLM agent was alive is not kept, so a silent one counts as one that "
        "could work. Runs outside that time, as over night, are in a column of their own. What an agent does in "
        "projects that are not counted here is not shown."
    ),
    formula="utilisation = time in runs while it could work ÷ Σ (time it could work × its capacity then).",
    source="Runs; events of members and agents.",
    columns=(
        *AGENT_COLUMNS,
        Column("utilisation", "Utilisation", "percent", n="runs"),
        Column("runs", "Runs", "runs", "n"),
        Column("worked_seconds", "Time worked while it could", "seconds", n="runs"),
        Column("could_seconds", "Time it could work", "seconds"),
        Column("capacity_seconds", "The same, times capacity", "seconds"),
        Column("outside_seconds", "Time worked at other times", "seconds", n="runs"),
    ),
    charts=(charts.Bars(label="name", value="utilisation", unit="percent", of="agent", title="Utilisation by agent"),),
    query=_utilisation,
    behind=dict.fromkeys(("utilisation", "runs", "worked_seconds", "outside_seconds"), _RUNS),
    sample="runs",
    headline=("utilisation", "worked_seconds", "outside_seconds"),
)
