"""What events of earlier versions do not say, inferred from those around them and from the rows that are still there.

All that the history of old events rests on besides the events themselves is here: why a task waited, what a run used,
what a task was like as an episode began and ended, the times and credit of early imports, and by what margin an offer
was made. New events say it themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.events import kinds
from tasks.history.assigning import is_offer
from tasks.history.facts import WAITING
from tasks.history.telling import begins
from tasks.models import Event
from tasks.transitions import TERMINAL, Status

_BLOCKED_BEFORE = (kinds.TASK_BLOCKERS_CHANGED, kinds.TASK_UNBLOCKED)
_OF_BLOCKERS = (*_BLOCKED_BEFORE, kinds.TASK_BLOCKED)
_USED = frozenset({"input_tokens", "output_tokens", "cost"})
#: What follows these rests for a while.
_RESTING = ("fail", "expire")


@dataclass
class Remembered:
    """What the rows say about one task: the task if it is still there, its runs, and the history as it was kept.

    ``used``: what each run has used, by number, as events say it. ``like``: what the task was like in each episode,
    by its number, and in 0, with ``labels``, what it is like now; ``began``: its priority and labels at the start of
    each. ``imported``: who it was assigned to when it came in completed, by the time of the import.
    ``offers``: score and margin of each offer, by its time. Of a deleted task all but its history is gone:
    ``intervals``, when it was created, and who was ``credited``.
    """

    task: Any = None
    created_at: datetime | None = None
    intervals: list[Any] = field(default_factory=list)
    used: dict[int, dict[str, Any]] = field(default_factory=dict)
    like: dict[int, dict[str, Any]] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    began: dict[int, dict[str, Any]] = field(default_factory=dict)
    imported: dict[datetime, list[str]] = field(default_factory=dict)
    credited: dict[int, list[str]] = field(default_factory=dict)
    offers: dict[datetime, dict[str, float]] = field(default_factory=dict)

    def at_start_of(self, episode: int, data: Mapping[str, Any]) -> dict[str, Any]:
        """What ``data``, that of the event with which the episode began, does not say of what the task was like."""
        then = self.began.get(episode, {})
        missing = {} if "labels" in data else {"labels": then.get("labels", self.labels)}
        if "priority" not in data and (like := self.like.get(episode) or self.like.get(0)):
            missing |= {**like, "priority": then.get("priority", like["priority"])}
        return missing


def complete(events: Sequence[Event], known: Remembered) -> None:
    """Add to the data of ``events``, all that concern one task in order, what they lack. They are not to be saved."""
    waiting = _Waiting(events, known)
    status, episode = "", 0
    for place, event in enumerate(events):
        event.data = data = dict(event.data)
        source, target = data.get("from"), data.get("to")
        enters = begins(event) or source in TERMINAL
        if enters:
            episode += 1
        before, status = status, target or (Status.NOT_STARTED.value if begins(event) else status)
        if event.kind == kinds.TASK_IMPORTED:
            _complete_import(event, known, episode)
        ends = target in TERMINAL or event.kind == kinds.TASK_DELETED
        if enters:
            data |= known.at_start_of(episode, data)
        if ends and "priority" not in data and (like := known.like.get(episode) or known.like.get(0)):
            data |= like
        if source == Status.IN_PROGRESS and _USED.isdisjoint(data):
            data |= known.used.get(data.get("revoked_run") or data.get("run") or 0, {})
        if is_offer(event):
            event.data = data = {**known.offers.get(event.at, {}), **data}
        waiting.follow(place, begins_waiting=status == Status.NOT_STARTED and (before != status or enters))
        if status == Status.NOT_STARTED and "waits_for" not in data and waiting.may_change(event):
            data["waits_for"] = waiting.reason(event.at)


def _complete_import(event: Event, known: Remembered, episode: int) -> None:
    data = event.data
    if "from" not in data and "created_at" not in data and known.created_at is not None:
        data["created_at"] = known.created_at.isoformat()
        if data["to"] in TERMINAL:
            data.setdefault("created_from", "given" if known.created_at < event.at else "unknown")
    if data["to"] == Status.COMPLETED and "completed_from" not in data:
        # Then nothing but the import's own time stood for the completion.
        completed = datetime.fromisoformat(data["completed_at"]) if data.get("completed_at") else event.at
        data["completed_from"] = "unknown" if completed == event.at else "given"
        if credited := known.imported.get(event.at) or known.credited.get(episode):
            data["credited"] = credited


class _Waiting:
    """Why a task that is not started waits, as far as old events and what follows them tell."""

    def __init__(self, events: Sequence[Event], known: Remembered) -> None:
        self.events, self.known = events, known
        self.blocked = self.deferred = False
        toggles = sum("on_hold" in event.data.get("fields", ()) for event in events)
        is_on_hold = bool(known.task is not None and known.task.on_hold)
        self.on_hold = is_on_hold != bool(toggles % 2)

    def may_change(self, event: Event) -> bool:
        data = event.data
        edited = not WAITING.isdisjoint(data.get("fields", ()))
        return begins(event) or edited or any(name in data for name in ("to", "open", "ready"))

    def reason(self, at: datetime) -> str:
        if self.known.task is None:
            for row in self.known.intervals:
                if row.began_at <= at and row.reason and (row.ended_at is None or at < row.ended_at):
                    return str(row.reason)
        if self.blocked:
            return "dependency"
        return "on_hold" if self.on_hold else "deferred" if self.deferred else "no_agent"

    def follow(self, place: int, *, begins_waiting: bool) -> None:
        event, data = self.events[place], self.events[place].data
        fields = data.get("fields", ())
        if "on_hold" in fields:
            self.on_hold = not self.on_hold
        if "waits_for" in data:
            self.blocked = data["waits_for"] == "dependency"
        elif "open" in data:
            self.blocked = bool(data["open"])
        elif begins_waiting:
            self.blocked = self._is_blocked_from(place)
        if event.kind == kinds.TASK_UNDEFERRED:
            self.deferred = False
        elif begins_waiting or "start_after" in fields:
            self.deferred = data.get("verb") in _RESTING or self._is_deferred_from(place)

    def _after(self, place: int) -> Sequence[Event]:
        return self.events[place + 1 :]

    def _is_blocked_from(self, place: int) -> bool:
        """Whether it was blocked, as the next change of its blockers tells."""
        for event in self._after(place):
            if event.kind in _OF_BLOCKERS:
                return event.kind in _BLOCKED_BEFORE
            if "waits_for" in event.data:
                return bool(event.data["waits_for"] == "dependency")
            if event.data.get("to") is not None:
                # Whoever begins it finds it free.
                return False
        return bool(self.known.task is not None and self.known.task.open_blockers)

    def _is_deferred_from(self, place: int) -> bool:
        for event in self._after(place):
            if event.kind == kinds.TASK_UNDEFERRED:
                return True
            if event.data.get("to") is not None or "start_after" in event.data.get("fields", ()):
                return False
        return bool(self.known.task is not None and self.known.task.deferred_until)
