"""How tasks find their agents: by hand, by offers that are taken, lapse or are declined, and by how clear a margin."""

from collections import defaultdict
from datetime import datetime
from typing import Final

from django.db.models import Count, F, Q, QuerySet, Value

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Percentile, Values
from reports.measures import Count as Counted
from reports.periods import Period
from reports.predefined.agents import (
    AGENT_COLUMNS,
    DELETED,
    Who,
    added_up,
    all_agents,
    in_order,
    known_agents,
    name_of_row,
    whose,
)
from reports.predefined.leads import Lead, going_on, is_, just_now, of_agent
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from reports.sql import Scaled
from tasks.models import Assignment, AssignmentDecision, AssignmentEnd, AssignmentSource
from tasks.transitions import Status

SCALE: Final = 1_000_000
#: Added to margins, which may be negative, while the database counts with whole numbers.
SHIFT: Final = 1_000_000
ADDED: Final = ("offers", "lapsed", "declined", "by_hand", "pulled")
_MEASURES: Final[dict[str, Aggregate]] = {
    "offers": Counted(),
    "margin_n": Counted("lead"),
    "margin_p50": Percentile("lead", 0.5),
    "score_p50": Percentile("points", 0.5),
}


def _decisions(scope: Scope, period: Period) -> "QuerySet[AssignmentDecision]":
    """Each offer of the period."""
    made = AssignmentDecision.objects.order_by().filter(at__gte=period.start, at__lt=period.end)
    return scope.of_task(made.filter(score__isnull=False)).annotate(
        lead=Scaled(F("margin") + Value(float(SHIFT)), SCALE), points=Scaled(F("score"), SCALE)
    )


def _assignments(scope: Scope, period: Period) -> dict[int | None, Row]:
    """Per agent: how assignments began in the period, and how offers ended in it."""

    def within(field: str) -> Q:
        return Q(**{f"{field}__gte": period.start, f"{field}__lt": period.end})

    began, ended = within("created_at"), within("ended_at")
    rows = scope.of_task(Assignment.objects.order_by().filter(began | ended)).values("agent_id")
    counted = rows.annotate(
        by_hand=Count("pk", filter=began & Q(source=AssignmentSource.MANUAL)),
        pulled=Count("pk", filter=began & Q(source=AssignmentSource.PULL)),
        lapsed=Count("pk", filter=ended & Q(end_reason=AssignmentEnd.LAPSED)),
        declined=Count("pk", filter=ended & Q(end_reason=AssignmentEnd.DECLINED)),
    )
    return {row.pop("agent_id"): row for row in counted}


def _assignment(scope: Scope, period: Period, now: datetime) -> Result:
    summary = summarise(_decisions(scope, period), by=["agent_id"], measures=_MEASURES)
    assigned = _assignments(scope, period)
    agents = known_agents([*assigned, *(agent for (agent,) in summary.groups)])
    figures: dict[Who, Row] = defaultdict(lambda: dict.fromkeys(ADDED, 0) | _scores(None))
    for (agent,), values in summary.groups.items():
        # An offer was to somebody: the agent is deleted since.
        who = DELETED if agent is None else whose(agent, agents)
        figures[who] |= {"offers": values["offers"]} | _scores(values)
    for agent, row in assigned.items():
        figures[whose(agent, agents)] |= row
    rows = [name_of_row(who, agents) | row for who, row in figures.items()]
    total = all_agents() | added_up(rows, ADDED) | _scores(summary.total)
    return Result(in_order(rows, "offers", "by_hand"), total, _now(scope), n=total["offers"])


def _scores(values: Values | None) -> Row:
    if values is None:
        return {"margin_n": 0, "margin_p50": None, "score_p50": None}
    margin, score = values["margin_p50"], values["score_p50"]
    return {
        "margin_n": values["margin_n"],
        "margin_p50": None if margin is None else round(float(margin / SCALE - SHIFT), 4),
        "score_p50": None if score is None else round(float(score / SCALE), 4),
    }


def _now(scope: Scope) -> Row:
    nobody = AssignmentDecision.objects.filter(agent__isnull=True, score__isnull=True, ended_at__isnull=True)
    offered = Assignment.objects.unstarted().filter(accept_by__isnull=False)
    return {"offers_open": scope.of_task(offered).count(), "nobody_found": scope.of_task(nobody).count()}


_BEGAN = Lead("assignments", "began", words=of_agent)
_ENDED = Lead("assignments", "ended", words=of_agent)

ASSIGNMENT = Report(
    slug="assignment",
    title="Assignment",
    description=(
        "How tasks found their agents in the period: assigned by hand, pulled, or offered by automatic assignment; and "
        "offers that lapsed and tasks that were declined in it, whenever they were given. The margin is by how much "
        "the agent that got the offer scored better than the next one with a free place, negative where all tasks "
        "together gain by it; without another it has none. What is offered and for what nobody is found is as of now. "
        "All of this is gone with its task, and an offer that staff confirm becomes one by hand: when that happens "
        "later, these figures of past periods change."
    ),
    formula="margin = score of the chosen agent − the best score of the others; medians of type 7.",
    source="Decisions of automatic assignment; assignments.",
    columns=(
        *AGENT_COLUMNS,
        Column("offers", "Offers", "offers"),
        Column("lapsed", "Lapsed", "offers"),
        Column("declined", "Declined", "tasks"),
        Column("score_p50", "Score: median", "ratio", n="offers", needs=2),
        Column("margin_p50", "Margin: median", "ratio", n="margin_n", needs=2),
        Column("margin_n", "Margin: n", "offers", "n"),
        Column("by_hand", "Assigned by hand", "tasks"),
        Column("pulled", "Pulled", "tasks"),
    ),
    figures=(
        Column("offers_open", "Offers that stand (now)", "offers"),
        Column("nobody_found", "Tasks for which nobody is found (now)", "tasks"),
    ),
    charts=(charts.Bars(label="name", value="offers", of="agent", title="Offers by agent", unit="offers"),),
    query=_assignment,
    behind={
        "lapsed": _ENDED.having(is_("end", AssignmentEnd.LAPSED.value)),
        "declined": _ENDED.having(is_("end", AssignmentEnd.DECLINED.value)),
        "by_hand": _BEGAN.having(is_("source", AssignmentSource.MANUAL.value)),
        "pulled": _BEGAN.having(is_("source", AssignmentSource.PULL.value)),
        "offers_open": going_on("assignments", just_now, is_("offered", True), is_("status", Status.NOT_STARTED.value)),
    },
    sample="offers",
    headline=("offers", "lapsed", "declined", "margin_p50", "by_hand", "pulled"),
)
