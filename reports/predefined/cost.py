"""What the work cost: tokens and money of runs, and of each accepted task over all its runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import BigIntegerField, F, QuerySet
from django.db.models.functions import Cast

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Average, Count, Percentile, Sum, Values, without_facts
from reports.periods import Period
from reports.predefined import runs
from reports.predefined.agents import (
    AGENT_COLUMNS,
    VERSION_COLUMN,
    all_agents,
    in_order,
    known_agents,
    name_of_row,
    whose,
)
from reports.predefined.completions import completed
from reports.report import Column, Report, Result, Row
from reports.scopes import Scope
from reports.sql import Scaled
from reports.units import MONEY, TOKENS, settled
from tasks.models import Project

_USED: Final[dict[str, tuple[Aggregate, str]]] = {
    "runs": (Count(), "runs"),
    "input_tokens": (Sum("used_input"), TOKENS),
    "output_tokens": (Sum("used_output"), TOKENS),
    "cost": (Sum("used_money"), MONEY),
}
_ACCEPTED: Final[dict[str, tuple[Aggregate, str]]] = {
    "accepted": (Count(), "tasks"),
    "accepted_cost": (Sum("used_money"), MONEY),
    "cost_per_accepted": (Average("used_money"), MONEY),
    "cost_per_accepted_p85": (Percentile("used_money", 0.85), MONEY),
    "tokens_per_accepted": (Average("used_tokens"), TOKENS),
}


def _with_usage(rows: QuerySet) -> QuerySet:
    input_tokens, output_tokens = (Cast(F(f"{way}_tokens"), BigIntegerField()) for way in ("input", "output"))
    return rows.annotate(
        used_input=input_tokens,
        used_output=output_tokens,
        used_tokens=input_tokens + output_tokens,
        used_money=Scaled(F("cost"), 1_000_000),
    )


def _values(wanted: Mapping[str, tuple[Aggregate, str]], values: Values) -> Row:
    return {name: settled(values[name], unit) for name, (_, unit) in wanted.items()}


def _aggregates(wanted: Mapping[str, tuple[Aggregate, str]]) -> dict[str, Aggregate]:
    return {name: aggregate for name, (aggregate, _) in wanted.items()}


def _nothing() -> Row:
    return _values(_USED, without_facts(_aggregates(_USED))) | _values(_ACCEPTED, without_facts(_aggregates(_ACCEPTED)))


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to group usage. ``split`` adds the column ``by`` to runs and to episodes; a row may be in several groups.

    Without it each row is in one group, so that the groups add up. ``names`` gives the naming columns of a group,
    ``total`` those of all.
    """

    columns: tuple[Column, ...]
    by: tuple[str, ...]
    names: Callable[[list[tuple]], dict[tuple, Row]]
    total: Row
    split: Callable[[QuerySet], QuerySet] | None = None


def _answer(way: _Way) -> Callable[[Scope, Period, datetime], Result]:
    def query(scope: Scope, period: Period, now: datetime) -> Result:
        groups: dict[tuple, Row] = {}
        total: Row = dict(way.total)
        # What came in as completed was worked on elsewhere: nobody knows what that cost.
        accepted = completed(scope, period).filter(is_imported=False)
        for wanted, rows in ((_USED, runs.ended(scope, period)), (_ACCEPTED, accepted)):
            aggregates = _aggregates(wanted)
            used = _with_usage(rows)
            summary = summarise(way.split(used) if way.split else used, by=way.by, measures=aggregates)
            whole = summarise(used, measures=aggregates) if way.split else summary
            total |= _values(wanted, whole.total)
            for group, values in summary.groups.items():
                groups.setdefault(group, _nothing()).update(_values(wanted, values))
        named = way.names(list(groups))
        # By agent first, as in the other reports; else the dearest first.
        shown = [named[group] | row for group, row in groups.items()]
        return Result(_in_order(shown), total, n=total["runs"])

    return query


def _in_order(rows: list[Row]) -> list[Row]:
    if rows and "agent" in rows[0]:
        return in_order(rows, "cost", "runs")
    return sorted(rows, key=lambda row: (-row["cost"], -row["runs"], *(str(value) for value in row.values())))


def _of_agents(groups: list[tuple]) -> dict[tuple, Row]:
    agents = known_agents(agent for agent, *_ in groups)
    return {group: name_of_row(whose(group[0], agents), agents) for group in groups}


def _of_versions(groups: list[tuple]) -> dict[tuple, Row]:
    named = _of_agents(groups)
    return {group: named[group] | {"version": group[1] or None} for group in groups}


def _of_projects(groups: list[tuple]) -> dict[tuple, Row]:
    keys = dict(Project.objects.filter(pk__in=[pk for (pk,) in groups]).values_list("pk", "key"))
    return {(pk,): {"project": keys[pk]} for (pk,) in groups}


def _of_labels(groups: list[tuple]) -> dict[tuple, Row]:
    return {group: {"label": group[0]} for group in groups}


def _by_label(rows: QuerySet) -> QuerySet:
    """Each with a label once for each of them, or without any."""
    return rows.annotate(label=F("label_set__labels__name"))


AGENT = _Way(AGENT_COLUMNS, ("agent_id",), _of_agents, all_agents())
VERSION = _Way(
    (*AGENT_COLUMNS, VERSION_COLUMN), ("agent_id", "version"), _of_versions, all_agents() | {"version": None}
)
PROJECT = _Way((Column("project", "Project", "text", "dimension"),), ("project_id",), _of_projects, {"project": None})
LABEL = _Way((Column("label", "Label", "text", "dimension"),), ("label",), _of_labels, {"label": None}, _by_label)

_DESCRIPTION = (
    "Tokens and money, as the agents reported them, of the runs that ended in the period, also of those that failed; "
    "and what each task completed here in the period cost over all its runs since it was created or reopened, whenever "
    "and by whomever. "
)
_COLUMNS = (
    Column("runs", "Runs", "runs"),
    Column("input_tokens", "Input tokens", TOKENS, n="runs"),
    Column("output_tokens", "Output tokens", TOKENS, n="runs"),
    Column("cost", "Cost", MONEY, n="runs"),
    Column("accepted", "Accepted", "tasks"),
    Column("accepted_cost", "Cost of accepted tasks", MONEY, n="accepted"),
    Column("cost_per_accepted", "Cost of an accepted task: mean", MONEY, n="accepted"),
    Column("cost_per_accepted_p85", "Cost of an accepted task: 85th percentile", MONEY, n="accepted", needs=7),
    Column("tokens_per_accepted", "Tokens of an accepted task: mean", TOKENS, n="accepted"),
)


def _report(slug: str, title: str, way: _Way, more: str, label: str) -> Report:
    return Report(
        slug=slug,
        title=title,
        description=_DESCRIPTION + more,
        formula="cost per accepted task = Σ cost of all runs of the tasks completed in the period ÷ their number.",
        source="Runs; episodes.",
        columns=(*way.columns, *_COLUMNS),
        charts=(charts.Bars(label=label, value="cost", title=title, unit="money"),),
        query=_answer(way),
        sample="runs",
        headline=("cost", "input_tokens", "output_tokens", "cost_per_accepted"),
    )


_OF_LAST = "An accepted task is in the row of the agent of its last run."
COST = _report("cost", "Cost by agent", AGENT, _OF_LAST, "name")
COST_BY_VERSION = _report("cost_by_version", "Cost by version", VERSION, _OF_LAST, "name")
COST_BY_PROJECT = _report("cost_by_project", "Cost by project", PROJECT, "", "project")
COST_BY_LABEL = _report(
    "cost_by_label",
    "Cost by label",
    LABEL,
    "Labels are those that the tasks had when the runs ended, or when they were completed. A task with several counts "
    "for each of them and once in the total.",
    "label",
)
