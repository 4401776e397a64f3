"""How often the work of agents is accepted at once, and how often it comes back."""

from collections import defaultdict
from datetime import datetime
from typing import Final

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum

from reports import charts
from reports.periods import Period
from reports.predefined.agents import (
    AGENT_COLUMNS,
    VERSION_COLUMN,
    Who,
    added_up,
    all_agents,
    in_order,
    known_agents,
    name_of_row,
    whose,
)
from reports.predefined.completions import all_of, completed
from reports.predefined.leads import COMPLETED_THEN, Lead, Words, is_, of_credited, with_version
from reports.predefined.reliability import with_interval
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from tasks.models import Episode

ADDED: Final = ("completed", "first_try", "changes_requested", "reopened")
#: Neither failed nor sent back on the way to the completion.
FIRST_TRY: Final = Q(changes_requested=0, failed_runs=0)


def reopened(scope: Scope, period: Period) -> QuerySet:
    """Each episode that began in the period because a completed task was reopened, with whose completion that was."""
    began = all_of(scope).filter(is_reopened=True, entered_at__gte=period.start, entered_at__lt=period.end)
    before = Episode.objects.filter(task=OuterRef("task"), number=OuterRef("number") - 1)
    return began.annotate(
        **{f"former_{name}": Subquery(before.values(name)[:1]) for name in ("agent_id", "version", "credit")}
    )


def _quality(scope: Scope, period: Period, now: datetime) -> Result:
    done = completed(scope, period).filter(is_imported=False).values("agent_id", "version", "credit")
    counted = done.annotate(
        completed=Count("pk"), first_try=Count("pk", filter=FIRST_TRY), changes=Sum("changes_requested")
    )
    back = list(
        reopened(scope, period).values("former_agent_id", "former_version", "former_credit").annotate(n=Count("pk"))
    )
    agents = known_agents({row["agent_id"] for row in counted} | {row["former_agent_id"] for row in back})
    figures: dict[tuple[Who, str], Row] = defaultdict(lambda: dict.fromkeys(ADDED, 0))
    for row in counted:
        values = figures[whose(row["agent_id"], agents, row["credit"]), row["version"]]
        values["completed"] += row["completed"]
        values["first_try"] += row["first_try"]
        values["changes_requested"] += row["changes"]
    for row in back:
        who = whose(row["former_agent_id"], agents, row["former_credit"] or "")
        figures[who, row["former_version"] or ""]["reopened"] += row["n"]
    rows = [
        name_of_row(who, agents) | {"version": version or None} | _shown(row) for (who, version), row in figures.items()
    ]
    total = all_agents() | {"version": None} | _shown(added_up(list(figures.values()), ADDED))
    return Result(in_order(rows, "completed", "reopened"), total, n=total["completed"])


def _shown(row: Row) -> Row:
    return row | with_interval(row["first_try"], row["completed"])


def _of_former(row: Row) -> Words | None:
    words = with_version(of_credited)(row)
    return words and {f"former_{name}": word for name, word in words.items()}


_DONE = COMPLETED_THEN.having(is_("imported", False)).by(with_version(of_credited))

QUALITY = Report(
    slug="quality",
    title="Quality of work",
    description=(
        "Of the tasks completed here in the period, how many were accepted at the first try: without a failed run and "
        "without requested changes since they were created or reopened. Requested changes are those on the way to "
        "these completions. Reopened are completions that were taken back in the period, whenever they were made. The "
        "agent and version are those of the last run."
    ),
    formula=(
        "accepted at the first try = completed without a failed run and requested changes ÷ completed, with its score "
        "interval at 95 % (Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927)."
    ),
    source="Episodes.",
    columns=(
        *AGENT_COLUMNS,
        VERSION_COLUMN,
        Column("completed", "Completed", "tasks"),
        Column("first_try", "Accepted at the first try", "tasks"),
        Column("share", "Share of first tries", "percent", n="completed"),
        Column("low", "Share: at least, at 95 %", "percent", n="completed"),
        Column("high", "Share: at most, at 95 %", "percent", n="completed"),
        Column("changes_requested", "Changes requested", "reviews", n="completed"),
        Column("reopened", "Reopened", "tasks"),
    ),
    charts=(
        charts.Bars(label="name", value="first_try", share="share", of="agent", title="Accepted at the first try"),
    ),
    query=_quality,
    behind={
        "completed": _DONE,
        "first_try": _DONE.of("first_try_sum"),
        **dict.fromkeys(("share", "low", "high"), _DONE.of("first_try_mean")),
        "changes_requested": _DONE.of("changes_requested_sum"),
        "reopened": Lead("episodes", "entered", where=(is_("reopened", True),), words=_of_former),
    },
    sample="completed",
    headline=("completed", "share", "changes_requested", "reopened"),
)
