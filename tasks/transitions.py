"""The life cycle of a task as one table: statuses, and which verb moves a task from which status to which.

Every door (admin, API, commands, engine) goes through the verbs of ``tasks.actions``, and those consult this table.
It imports nothing from this project.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import TextChoices


class Status(TextChoices):
    NOT_STARTED = "not_started", "Not started"
    IN_PROGRESS = "in_progress", "In progress"
    WAITING = "waiting", "Waiting for an answer"
    IN_REVIEW = "in_review", "In review"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


TERMINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
OPEN: Final = frozenset(Status) - TERMINAL


class Who(TextChoices):
    """Whom a verb belongs to; ``tasks.permissions`` decides who that is for a given task."""

    AGENT = "agent", "an agent that may work on the task"
    PERSON = "person", "a person who works in the project"
    HOLDER = "holder", "the agent that holds the run"
    STAFF = "staff", "a manager of the project"
    REVIEWER = "reviewer", "a manager or reviewer of the project other than the author"
    ENGINE = "engine", "the engine"


@dataclass(frozen=True, slots=True)
class Transition:
    """One verb of the table: the statuses it starts from and may lead to, and who may use it."""

    verb: str
    sources: frozenset[Status]
    targets: frozenset[Status]
    who: frozenset[Who]


def _row(verb: str, sources: Iterable[Status], targets: Iterable[Status], *who: Who) -> Transition:
    return Transition(verb, frozenset(sources), frozenset(targets), frozenset(who))


_S = Status
_NEW, _BUSY = {_S.NOT_STARTED}, {_S.IN_PROGRESS}

TRANSITIONS: Final[dict[str, Transition]] = {
    row.verb: row
    for row in (
        _row("claim", _NEW, _BUSY, Who.AGENT),
        _row("start", _NEW, _BUSY, Who.PERSON, Who.STAFF),
        _row("heartbeat", _BUSY, _BUSY, Who.HOLDER),
        _row("progress", _BUSY, _BUSY, Who.HOLDER),
        _row("ask", _BUSY, {_S.IN_PROGRESS, _S.WAITING}, Who.HOLDER),
        _row("answer", {_S.WAITING}, _NEW, Who.PERSON, Who.ENGINE),
        _row("withdraw", {_S.WAITING}, _NEW, Who.AGENT, Who.STAFF, Who.ENGINE),
        _row("complete", _BUSY, {_S.IN_REVIEW, _S.COMPLETED}, Who.HOLDER),
        _row("fail", _BUSY, {_S.NOT_STARTED, _S.FAILED}, Who.HOLDER),
        _row("release", _BUSY, _NEW, Who.HOLDER, Who.STAFF),
        _row("revoke", _BUSY, _NEW, Who.STAFF),
        _row("expire", {_S.IN_PROGRESS, _S.WAITING}, {_S.NOT_STARTED, _S.FAILED}, Who.ENGINE),
        _row("approve", {_S.IN_REVIEW}, {_S.COMPLETED}, Who.REVIEWER),
        _row("request_changes", {_S.IN_REVIEW}, _NEW, Who.REVIEWER),
        _row("adopt", {_S.NOT_STARTED, _S.IN_PROGRESS, _S.FAILED}, {_S.IN_REVIEW, _S.COMPLETED}, Who.STAFF),
        _row("cancel", OPEN, {_S.CANCELLED}, Who.STAFF),
        _row("reopen", TERMINAL, _NEW, Who.STAFF),
    )
}


def allowed(status: str) -> list[str]:
    """Verbs that are legal from ``status``, in the order of the table."""
    return [row.verb for row in TRANSITIONS.values() if status in row.sources]


def is_legal(verb: str, status: str, target: str | None = None) -> bool:
    """Whether ``verb`` may be used from ``status`` (and lead to ``target``, where given)."""
    row = TRANSITIONS[verb]
    return status in row.sources and (target is None or target in row.targets)


def satisfies_dependency(status: str) -> bool:
    """Only a completed task unblocks those that depend on it."""
    return status == Status.COMPLETED


def settles_child(status: str) -> bool:
    """A parent waits for its children until each is completed or cancelled."""
    return status in (Status.COMPLETED, Status.CANCELLED)


def is_ready(status: str, open_blockers: int, deferred_until: datetime | None, now: datetime, *, on_hold: bool) -> bool:
    """Not started, not blocked, not on hold, and not deferred at ``now``. In SQL: ``TaskQuerySet.ready``."""
    if status != Status.NOT_STARTED or open_blockers or on_hold:
        return False
    return deferred_until is None or deferred_until <= now


def ready_at(status: str, deferred_until: datetime | None, now: datetime) -> datetime | None:
    """When a task that is not started may begin, if that lies ahead of ``now``."""
    if status != Status.NOT_STARTED or deferred_until is None or deferred_until <= now:
        return None
    return deferred_until


def has_result(status: str) -> bool:
    """Whether the task's result counts; what a task that is open again still has is left from an earlier completion."""
    return status in (Status.IN_REVIEW, Status.COMPLETED)


def is_overdue(status: str, due_at: datetime | None, now: datetime) -> bool:
    """Open after its due date. In SQL: ``TaskQuerySet.overdue``."""
    return status in OPEN and due_at is not None and due_at < now
