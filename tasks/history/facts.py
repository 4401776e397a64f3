"""What an event tells about its task for the history, so that this can be derived from events alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tasks.models.history import WaitReason
from tasks.models.task import Priority, Task
from tasks.transitions import TERMINAL, Status

if TYPE_CHECKING:
    from tasks.events.declaration import Kind
    from tasks.models import Agent, Run

#: The names of priorities in events, as in the API.
PRIORITIES: Final = {priority.name.lower(): priority.value for priority in Priority}
NAMES_OF_PRIORITIES: Final = {value: name for name, value in PRIORITIES.items()}
#: What an edit may change of what an episode keeps, and of what a task waits for.
_KEPT: Final = frozenset({"priority", "due_at", "estimate_minutes"})
WAITING: Final = frozenset({"start_after", "on_hold"})


def waits_for(task: Task, now: datetime) -> WaitReason:
    """Why ``task``, which is not started, stands still at ``now``: the first of several reasons."""
    if task.open_blockers:
        return WaitReason.DEPENDENCY
    if task.on_hold:
        return WaitReason.ON_HOLD
    if task.is_deferred(now):
        return WaitReason.DEFERRED
    return WaitReason.NO_AGENT


def usage_of(run: "Run") -> dict[str, Any]:
    """What ``run``, which ends, has used: what is not zero."""
    used: dict[str, Any] = {}
    if run.input_tokens:
        used["input_tokens"] = run.input_tokens
    if run.output_tokens:
        used["output_tokens"] = run.output_tokens
    if run.cost:
        used["cost"] = f"{run.cost:f}".rstrip("0").rstrip(".")
    return used


def like(task: Task) -> dict[str, Any]:
    """What an episode keeps of what ``task`` is like. Without ``priority`` in its data an event says nothing of it."""
    said: dict[str, Any] = {"priority": NAMES_OF_PRIORITIES[task.priority]}
    if task.due_at is not None:
        said["due_at"] = task.due_at.isoformat()
    if task.estimate_minutes is not None:
        said["estimate_minutes"] = task.estimate_minutes
    return said


def labels_of(task: Task) -> list[str]:
    return sorted(task.labels.order_by().values_list("name", flat=True))


def facts_for_history(
    kind: "Kind", data: Mapping[str, Any], *, at: datetime, task: Task, run: "Run | None", agent: "Agent | None"
) -> dict[str, Any]:
    """What an event of ``kind`` with ``data`` also says, as far as the kind declares it.

    ``task`` and ``run`` are as the verb leaves them, and locked since before they were read.
    """
    declared = kind.declared.data
    facts: dict[str, Any] = {}
    source, target = data.get("from"), data.get("to")
    moves = target is not None
    edited = None if moves else data.get("fields")
    if (
        "waits_for" in declared
        and task.status == Status.NOT_STARTED
        and (moves or "to" not in declared)
        and (edited is None or "open" in declared or not WAITING.isdisjoint(edited))
    ):
        facts["waits_for"] = waits_for(task, at).value
    if "priority" in declared and _tells(source, target, edited, task):
        facts |= like(task)
    if "labels" in declared and "labels" not in data and _tells_labels(source, data.get("fields")):
        facts["labels"] = labels_of(task)
    if "agent_version" in declared and target == Status.IN_PROGRESS and agent is not None and agent.version:
        facts["agent_version"] = agent.version
    if "input_tokens" in declared and source == Status.IN_PROGRESS and run is not None and "outcome" in data:
        facts |= usage_of(run)
    return facts


def _tells(source: Any, target: Any, edited: Any, task: Task) -> bool:
    """Whether an event with these facts says what the task is like: as an episode begins or ends, or that changes."""
    if edited is not None:
        return not _KEPT.isdisjoint(edited) and task.is_open
    if target is None:
        return True
    return source is None or source in TERMINAL or target in TERMINAL


def _tells_labels(source: Any, fields: Any) -> bool:
    """Whether an event with these facts says which labels the task has: as an episode begins, or they change.

    As an episode ends they are known.
    """
    return source in TERMINAL or ("labels" in fields if fields is not None else source is None)
