"""What a run shows of itself besides its progress: its checklist, and where its own log is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tasks.models import Run

#: A step that is over, one way or the other.
SETTLED = frozenset({"completed", "skipped"})


def changed_plan(run: Run, plan: Sequence[Mapping[str, Any]] | None, external_url: str | None) -> dict[str, Any]:
    """The columns of ``run`` that a report of ``plan`` and ``external_url`` changes; None means not reported."""
    changes: dict[str, Any] = {}
    if plan is not None and list(plan) != (run.plan or []):
        changes |= {"plan": list(plan) or None, "plan_steps": len(plan), "plan_settled": count_settled(plan)}
    if external_url is not None and external_url != run.external_url:
        changes["external_url"] = external_url
    return changes


def count_settled(plan: Iterable[Mapping[str, Any]]) -> int:
    """How many steps of ``plan`` are completed or skipped."""
    return sum(step.get("status") in SETTLED for step in plan)


def plan_in_event(run: Run) -> dict[str, Any]:
    """What an event says of the plan of ``run``: how long it is and how much is settled; nothing without one."""
    return {"steps": run.plan_steps, "settled": run.plan_settled} if run.plan_steps else {}
