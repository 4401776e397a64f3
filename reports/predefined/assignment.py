"""How tasks find their agents: by hand, by offers that are taken, lapse or are declined, and by how clear a margin."""

from collections import defaultdict
from datetime import datetime
from typing import Final

from django.db.models import Count, Q, QuerySet

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Percentile, Values
from reports.measures import Count as Counted
from reports.periods import Period
from reports.predefined.agents import AGENT_COLUMNS, DELETED, Who, added_up, all_agents, in_order, name_of_row
from reports.predefined.leads import Lead, going_on, is_, just_now, of_agent
from reports.predefined.runs import runs
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from reports.units import RATIO, settled
from reports.vocabulary import quantities
from tasks.models import Agent, Assignment, AssignmentDecision, AssignmentStep, AssignmentStepKind
from tasks.transitions import Status

ADDED: Final = ("offers", "lapsed", "declined", "by_hand", "pulled")
_COUNTED: Final = (AssignmentStepKind.LAPSED, AssignmentStepKind.DECLINED, AssignmentStepKind.BY_HAND)
_MEASURES: Final[dict[str, Aggregate]] = {
    "offers": Counted(),
    "margin_n": Counted("leads_by"),
    "margin_p50": Percentile("leads_by", 0.5),
    "score_p50": Percentile("points", 0.5),
}


def _steps(scope: Scope, period: Period) -> "QuerySet[AssignmentStep]":
    steps = scope.of_project(AssignmentStep.objects.order_by())
    return steps.filter(at__gte=period.start, at__lt=period.end)


def _offers(scope: Scope, period: Period) -> "QuerySet[AssignmentStep]":
    """Each offer of the period."""
    offers = _steps(scope, period).filter(step=AssignmentStepKind.OFFERED)
    return offers.annotate(leads_by=quantities.ratio("margin"), points=quantities.ratio("score"))


def _counted(scope: Scope, period: Period) -> dict[str | None, Row]:
    """Per agent, by slug: what was assigned and pulled in the period, and how offers ended in it."""
    rows: dict[str | None, Row] = defaultdict(dict)
    steps = _steps(scope, period).filter(step__in=_COUNTED).values("agent__slug")
    pulled = runs(scope).filter(is_pulled=True, began_at__gte=period.start, began_at__lt=period.end)
    for counted in (
        steps.annotate(**{step.value: Count("pk", filter=Q(step=step)) for step in _COUNTED}),
        pulled.values("agent__slug").annotate(pulled=Count("pk")),
    ):
        for row in counted:
            rows[row["agent__slug"]] |= {name: value for name, value in row.items() if name in ADDED}
    return rows


def _assignment(scope: Scope, period: Period, now: datetime) -> Result:
    summary = summarise(_offers(scope, period), by=["agent__slug"], measures=_MEASURES)
    counted = _counted(scope, period)
    offered = {slug: values for (slug,), values in summary.groups.items()}
    agents = Agent.objects.in_bulk([slug for slug in {*counted, *offered} if slug is not None], field_name="slug")
    by_id = {agent.pk: agent for agent in agents.values()}
    rows = []
    for slug in {*counted, *offered}:
        # All of it was about some agent: one without a slug is deleted since.
        who: Who = agents[slug].pk if slug in agents else DELETED
        figures: Row = dict.fromkeys(ADDED, 0) | counted.get(slug, {}) | _scores(offered.get(slug))
        figures["offers"] = offered[slug]["offers"] if slug in offered else 0
        rows.append(name_of_row(who, by_id) | figures)
    total = all_agents() | added_up(rows, ADDED) | _scores(summary.total)
    return Result(in_order(rows, "offers", "by_hand"), total, _now(scope), n=total["offers"])


def _scores(values: Values | None) -> Row:
    if values is None:
        return {"margin_n": 0, "margin_p50": None, "score_p50": None}
    medians = {name: settled(values[name], RATIO) for name in ("margin_p50", "score_p50")}
    return {"margin_n": values["margin_n"]} | medians


def _now(scope: Scope) -> Row:
    nobody = AssignmentDecision.objects.filter(agent__isnull=True, score__isnull=True, ended_at__isnull=True)
    offered = Assignment.objects.unstarted().filter(accept_by__isnull=False)
    return {"offers_open": scope.of_task(offered).count(), "nobody_found": scope.of_task(nobody).count()}


def _behind(step: AssignmentStepKind) -> Lead:
    return Lead("steps", "happened", where=(is_("step", step.value),), words=of_agent)


_OFFERED = _behind(AssignmentStepKind.OFFERED)

ASSIGNMENT = Report(
    slug="assignment",
    title="Assignment",
    description=(
        "How tasks found their agents in the period: assigned by hand, pulled, or offered by automatic assignment; and "
        "offers that lapsed and tasks that were declined in it, whenever they were given. The margin is by how much "
        "the agent that got the offer scored better than the next one with a free place, negative where all tasks "
        "together gain by it; without another it has none. An offer that staff confirm counts as an offer, and as "
        "assigned by hand when they do. What is offered and for what nobody is found is as of now."
    ),
    formula="margin = score of the chosen agent − the best score of the others; medians of type 7.",
    source="Steps of assignment; runs; what is offered, and for what nobody is found, as of now.",
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
        "offers": _OFFERED,
        "score_p50": _OFFERED.of("score_p50"),
        "margin_p50": _OFFERED.of("margin_p50"),
        "margin_n": _OFFERED.of("margin_count"),
        **{step.value: _behind(step) for step in _COUNTED},
        "pulled": Lead("runs", "began", where=(is_("pulled", True),), words=of_agent),
        "offers_open": going_on("assignments", just_now, is_("offered", True), is_("status", Status.NOT_STARTED.value)),
    },
    sample="offers",
    headline=("offers", "lapsed", "declined", "margin_p50", "by_hand", "pulled"),
)
