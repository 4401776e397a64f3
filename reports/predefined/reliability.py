"""How often runs of agents succeed, by version; and why they fail."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from reports import charts
from reports.definitions import read
from reports.periods import Period
from reports.predefined import runs
from reports.predefined.agents import (
    AGENT_COLUMNS,
    DELETED,
    VERSION_COLUMN,
    Who,
    added_up,
    all_agents,
    in_order,
    known_agents,
    name_of_row,
    whose,
)
from reports.predefined.leads import RUNS_ENDED, Lead, Words, in_, is_, of_agent, with_version
from reports.predefined.times import share_of
from reports.report import Column, Part, Report, Result, Row
from reports.scopes import Scope
from reports.sql import Whole
from reports.statistics import wilson
from tasks.events import kinds
from tasks.models import Event, RunStatus, StatusInterval

TRIED: Final = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.EXPIRED)
OTHERWISE: Final = (RunStatus.RELEASED, RunStatus.REVOKED, RunStatus.CANCELLED, RunStatus.PARKED)
ADDED: Final = ("runs", "completed", "failed", "expired", "otherwise", "stalls")


def stalls(scope: Scope, period: Period) -> QuerySet:
    """Each time that a run of the scope stalled in the period, with the ``version`` of its agent."""
    happened = scope.of_project(Event.objects.all()).filter(
        kind=kinds.TASK_STALLED, at__gte=period.start, at__lt=period.end
    )
    mine = StatusInterval.objects.filter(task=OuterRef("task"), run_number=OuterRef("run_number"))
    return happened.annotate(run_number=Whole("data", "run")).annotate(version=Subquery(mine.values("version")[:1]))


def with_interval(hits: int, n: int) -> Row:
    """The share of ``hits`` in percent, and the bounds between which it lies at 95 %."""
    bounds = wilson(hits, n)
    low, high = (None, None) if bounds is None else (round(100 * bound, 2) for bound in bounds)
    return {"share": share_of(hits, n), "low": low, "high": high}


def _reliability(scope: Scope, period: Period, now: datetime) -> Result:
    ended = runs.ended(scope, period).values("agent_id", "version")
    counted = ended.annotate(
        runs=Count("pk"),
        completed=Count("pk", filter=Q(outcome=RunStatus.COMPLETED)),
        failed=Count("pk", filter=Q(outcome=RunStatus.FAILED)),
        expired=Count("pk", filter=Q(outcome=RunStatus.EXPIRED)),
        otherwise=Count("pk", filter=Q(outcome__in=OTHERWISE)),
    )
    stalled = stalls(scope, period).order_by().values("agent_id", "version").annotate(stalls=Count("pk"))
    counts = [*counted, *stalled]
    agents = known_agents(row["agent_id"] for row in counts)
    figures: dict[tuple[Who, str], Row] = defaultdict(lambda: dict.fromkeys(ADDED, 0))
    for values in counts:
        row = figures[whose(values.pop("agent_id"), agents), values.pop("version") or ""]
        for name, value in values.items():
            row[name] += value
    rows = [
        name_of_row(who, agents) | {"version": version or None} | _shown(row) for (who, version), row in figures.items()
    ]
    total = all_agents() | {"version": None} | _shown(added_up(list(figures.values()), ADDED))
    return Result(in_order(rows, "runs"), total, n=total["runs"])


def _shown(row: Row) -> Row:
    tried = row["completed"] + row["failed"] + row["expired"]
    return row | {"tried": tried} | with_interval(row["completed"], tried)


def _of_stalled(row: Row) -> Words | None:
    """Events keep the slugs of deleted agents."""
    return {"agent_deleted": "yes"} if row.get("name") == DELETED and not row["agent"] else of_agent(row)


_ENDED = RUNS_ENDED.by(with_version(of_agent))
_TRIED = _ENDED.having(in_("outcome", *(outcome.value for outcome in TRIED)))

RELIABILITY = Report(
    slug="reliability",
    title="Reliability of agents",
    description=(
        "How the runs that ended in the period ended, by agent and the version that it had when the run began. A run "
        "succeeds if it is completed, whatever a review says later; it does not if it fails or loses its lease. Runs "
        "that were released, revoked, cancelled or parked for an answer are neither. Stalls count when they happened, "
        "also those of runs that went on. Why runs failed is in “Failures by code”."
    ),
    formula=(
        "success = completed ÷ (completed + failed + lease lost), with its score interval at 95 % "
        "(Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927)."
    ),
    source="Runs; events of stalls.",
    columns=(
        *AGENT_COLUMNS,
        VERSION_COLUMN,
        Column("runs", "Runs", "runs"),
        Column("completed", "Completed", "runs"),
        Column("failed", "Failed", "runs"),
        Column("expired", "Lease lost", "runs"),
        Column("otherwise", "Ended otherwise", "runs"),
        Column("tried", "Success: n", "runs", "n"),
        Column("share", "Success", "percent", n="tried"),
        Column("low", "Success: at least, at 95 %", "percent", n="tried"),
        Column("high", "Success: at most, at 95 %", "percent", n="tried"),
        Column("stalls", "Stalls", "stalls"),
    ),
    charts=(
        charts.Bars(label="name", value="share", unit="percent", of="agent", title="Success by agent and version"),
    ),
    query=_reliability,
    behind={
        "runs": _ENDED,
        "completed": _ENDED.having(is_("outcome", RunStatus.COMPLETED.value)),
        "failed": _ENDED.having(is_("outcome", RunStatus.FAILED.value)),
        "expired": _ENDED.having(is_("outcome", RunStatus.EXPIRED.value)),
        "otherwise": _ENDED.having(in_("outcome", *(outcome.value for outcome in OTHERWISE))),
        **dict.fromkeys(("tried", "share", "low", "high"), _TRIED),
        "stalls": Lead("events", "happened", where=(is_("kind", kinds.TASK_STALLED),)).by(with_version(_of_stalled)),
    },
    sample="runs",
    headline=("runs", "share", "failed", "expired", "stalls"),
)


def _shares(rows: Sequence[Row]) -> list[Row]:
    return [{"share": share_of(row["runs"], rows[-1]["runs"])} for row in rows]


FAILURES = Report(
    slug="failures",
    title="Failures by code",
    description=(
        "Why runs failed in the period, by the code that the agents gave. The total counts each task and agent once."
    ),
    formula="share = failed runs with the code ÷ all failed runs.",
    source="Runs.",
    columns=(
        Column("code", "Code", "text", "dimension"),
        Column("runs", "Failed runs", "runs"),
        Column("share", "Share", "percent", n="runs"),
        Column("tasks", "Tasks", "tasks"),
        Column("agents", "Agents", "agents"),
    ),
    charts=(charts.Bars(label="code", value="runs", share="share", title="Failed runs by code", unit="runs"),),
    parts=(
        Part(
            "Failed runs",
            read(
                {
                    "version": 1,
                    "facts": "runs",
                    "measures": [
                        {"aggregate": "count"},
                        {"name": "tasks", "aggregate": "distinct"},
                        {"name": "agents", "aggregate": "distinct"},
                    ],
                    "by": ["code"],
                    "time": {"on": "ended"},
                    "where": {"all": [{"field": "outcome", "in": ["failed"]}]},
                }
            ),
            {"runs": "count", "tasks": "tasks_distinct", "agents": "agents_distinct"},
        ),
    ),
    more=_shares,
    order=("-runs",),
    sample="runs",
    headline=("runs", "tasks", "agents"),
)
