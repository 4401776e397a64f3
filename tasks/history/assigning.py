"""How tasks find their agents, as events tell it: offers and assignments by hand, and how offers end."""

from collections.abc import Iterable
from typing import Any, Final

from tasks.batches import batches
from tasks.events import kinds
from tasks.history.rows import row_of
from tasks.history.tables import Tables
from tasks.models import AssignmentSource, Event
from tasks.models.history import AssignmentStepKind

_ENDING: Final[dict[str, AssignmentStepKind]] = {
    kinds.TASK_DECLINED: AssignmentStepKind.DECLINED,
    kinds.TASK_OFFER_LAPSED: AssignmentStepKind.LAPSED,
}
_GIVING: Final = frozenset(
    {
        kinds.TASK_CREATED,
        kinds.TASK_IMPORTED,
        kinds.TASK_REIMPORTED,
        kinds.TASK_ASSIGNED,
        kinds.TASK_STATUS_CHANGED,
    }
)
#: Their agent is the one that they name, if that is one.
_OF_THEIR_AGENT: Final = frozenset({kinds.TASK_DECLINED, kinds.TASK_OFFER_LAPSED, kinds.TASK_ASSIGNED})


def step_of(event: Event) -> AssignmentStepKind | None:
    """What happened between a task and agents by ``event``, if it did."""
    if event.kind in _ENDING:
        return _ENDING[event.kind]
    if event.kind not in _GIVING or not event.data.get("agents"):
        return None
    return AssignmentStepKind.OFFERED if is_offer(event) else AssignmentStepKind.BY_HAND


def is_offer(event: Event) -> bool:
    return event.kind == kinds.TASK_ASSIGNED and event.data.get("source") == AssignmentSource.AUTO


def steps(event: Event, tables: Tables, agents: dict[str, int], label_set: int | None) -> list[Any]:
    """The rows that ``event`` adds, one for each agent; ``agents``: their ids by slug, as ``agents_named`` gives them.

    ``label_set``: that of the task then.
    """
    step = step_of(event)
    if step is None:
        return []
    ids = [event.agent_id] if _is_of_its_agent(event) else [agents.get(slug) for slug in event.data["agents"]]
    figures = {name: event.data.get(name) for name in ("score", "margin")} if step == AssignmentStepKind.OFFERED else {}
    return [
        row_of(tables.step)(
            project_id=event.project_id,
            task_id=event.task_id,
            task_ref=event.task_ref,
            agent_id=agent,
            step=step.value,
            at=event.at,
            label_set_id=label_set,
            **figures,
        )
        for agent in ids
    ]


def agents_named(events: Iterable[Event], tables: Tables) -> dict[str, int]:
    """Ids by slug of the agents that events alone name: those assigned together, and whom files credit."""
    slugs: set[str] = set()
    for event in events:
        credited = event.data.get("credited") or []
        if len(credited) == 1:
            slugs.add(credited[0])
        if step_of(event) is not None and not _is_of_its_agent(event):
            slugs.update(event.data["agents"])
    ids: dict[str, int] = {}
    for batch in batches(sorted(slugs)):
        ids |= dict(tables.agent.objects.filter(slug__in=batch).values_list("slug", "pk"))
    return ids


def _is_of_its_agent(event: Event) -> bool:
    return event.kind in _OF_THEIR_AGENT and event.agent_id is not None
