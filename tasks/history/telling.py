"""What a single event says of the history of its task."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tasks.events import kinds
from tasks.history.assigning import step_of
from tasks.history.facts import PRIORITIES
from tasks.history.labels import LabelSets
from tasks.models import Event, RunStatus, Verdict
from tasks.models.history import TimeSource
from tasks.transitions import TERMINAL, Status

#: Facts of an event that change the history of its task.
MOVING: Final = ("to", "waits_for", "priority", "labels")
_VERDICTS: Final = {"approve": Verdict.APPROVED, "request_changes": Verdict.CHANGES_REQUESTED}


def concerns(event: Event) -> bool:
    """Whether ``event`` may change the history of a task."""
    if event.task_id is None:
        return False
    if event.kind in (kinds.TASK_CREATED, kinds.TASK_DELETED) or step_of(event) is not None:
        return True
    return any(name in event.data for name in MOVING)


def begins(event: Event) -> bool:
    """Whether the history of the event's task begins with it."""
    return event.kind == kinds.TASK_CREATED or (event.kind == kinds.TASK_IMPORTED and "from" not in event.data)


def ending(event: Event, label_sets: LabelSets) -> tuple[str, dict[str, Any]] | None:
    """The status that ``event`` ends, whatever came before, and what the interval is by that; None if that depends."""
    source, kind = event.data.get("from"), event.kind
    if event.data.get("to") is None or source is None or source in TERMINAL:
        return None
    if kind in (kinds.TASK_IMPORTED, kinds.TASK_DELETED) or begins(event):
        return None
    return source, kept_by(event, label_sets) | ended_by(event, source)


def kept_by(event: Event, label_sets: LabelSets) -> dict[str, Any]:
    """What ``event`` says of what rows keep of their task."""
    kept: dict[str, Any] = {}
    if "priority" in event.data:
        kept["priority"] = PRIORITIES[event.data["priority"]]
    if "labels" in event.data:
        kept["label_set_id"] = label_sets.get(event.project_id, event.data["labels"])
    return kept


def ended_by(event: Event, status: str) -> dict[str, Any]:
    """What an interval in ``status`` is by ``event``, which ends it."""
    data = event.data
    if status == Status.IN_PROGRESS:
        outcome = data.get("outcome") or ("revoked" if "revoked_run" in data else "")
        return {
            "outcome": outcome,
            "input_tokens": data.get("input_tokens", 0),
            "output_tokens": data.get("output_tokens", 0),
            "cost": Decimal(data.get("cost", 0)),
        } | ({"code": data.get("code", "")[:60]} if outcome == RunStatus.FAILED else {})
    verdict = _VERDICTS.get(data.get("verb", "")) if status == Status.IN_REVIEW else None
    return {"verdict": verdict.value, "reviewer": event.actor_name} if verdict is not None else {}


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def started_elsewhere(event: Event) -> datetime | None:
    started = moment(event.data.get("started_at"))
    return min(started, event.at) if started is not None else None


def end_elsewhere(event: Event) -> tuple[datetime, str]:
    """When the task ended according to a file, and where that comes from. Only completions have a time there."""
    completed = moment(event.data.get("completed_at"))
    if event.data["to"] != Status.COMPLETED or completed is None:
        return event.at, TimeSource.UNKNOWN
    source = event.data.get("completed_from") or (TimeSource.UNKNOWN if completed == event.at else TimeSource.GIVEN)
    if source == TimeSource.UNKNOWN and "from" in event.data:
        return event.at, source
    return min(completed, event.at), source
