"""What the work cost: tokens and money of runs, and of each accepted task over all its runs."""

from collections.abc import Callable, Sequence

from reports import charts
from reports.definitions import read
from reports.predefined.agents import AGENT_COLUMNS, VERSION_COLUMN, named
from reports.report import Column, Part, Report, Row
from reports.units import MONEY, TOKENS

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
_DESCRIPTION = (
    "Tokens and money, as the agents reported them, of the runs that ended in the period, also of those that failed; "
    "and what each task completed here in the period cost over all its runs since it was created or reopened, whenever "
    "and by whomever. "
)


def _of_runs(by: Sequence[str]) -> Part:
    used = ("input_tokens", "output_tokens", "cost")
    measures = [{"aggregate": "count"}, *({"name": name, "aggregate": "sum"} for name in used)]
    document = {"version": 1, "facts": "runs", "measures": measures, "by": by, "time": {"on": "ended"}}
    return Part("Runs", read(document), {"runs": "count", **{name: f"{name}_sum" for name in used}})


def _of_accepted(by: Sequence[str]) -> Part:
    document = {
        "version": 1,
        "facts": "episodes",
        "measures": [
            {"aggregate": "count"},
            *({"name": "cost", "aggregate": aggregate} for aggregate in ("sum", "mean", "p85")),
            {"name": "tokens", "aggregate": "mean"},
        ],
        "by": by,
        "time": {"on": "completed"},
        # What came in as completed was worked on elsewhere: nobody knows what that cost.
        "where": {"all": [{"field": "imported", "is": False}]},
    }
    columns = {
        "accepted": "count",
        "accepted_cost": "cost_sum",
        "cost_per_accepted": "cost_mean",
        "cost_per_accepted_p85": "cost_p85",
        "tokens_per_accepted": "tokens_mean",
    }
    return Part("Accepted tasks", read(document), columns)


def _report(
    slug: str,
    by: list[str],
    naming: tuple[Column, ...],
    *,
    remark: str = "",
    more: Callable[[Sequence[Row]], Sequence[Row]] | None = None,
) -> Report:
    title = f"Cost by {by[-1]}"
    return Report(
        slug=slug,
        title=title,
        description=_DESCRIPTION + remark,
        formula="cost per accepted task = Σ cost of all runs of the tasks completed in the period ÷ their number.",
        source="Runs; episodes.",
        columns=(*naming, *_COLUMNS),
        charts=(charts.Bars(label="name" if more else by[-1], value="cost", title=title, unit="money"),),
        parts=(_of_runs(by), _of_accepted(by)),
        more=more,
        order=("-cost", "-runs"),
        sample="runs",
        headline=("cost", "input_tokens", "output_tokens", "cost_per_accepted"),
    )


_OF_LAST = "An accepted task is in the row of the agent of its last run."
COST = _report("cost", ["agent"], AGENT_COLUMNS, remark=_OF_LAST, more=named)
COST_BY_VERSION = _report(
    "cost_by_version", ["agent", "version"], (*AGENT_COLUMNS, VERSION_COLUMN), remark=_OF_LAST, more=named
)
COST_BY_PROJECT = _report("cost_by_project", ["project"], (Column("project", "Project", "text", "dimension"),))
COST_BY_LABEL = _report(
    "cost_by_label",
    ["label"],
    (Column("label", "Label", "text", "dimension"),),
    remark=(
        "Labels are those that the tasks had when the runs ended, or when they were completed. A task with several "
        "counts for each of them and once in the total."
    ),
)
