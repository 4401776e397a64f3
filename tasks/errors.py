"""The errors of the domain, and with them the general ones, which the rest of ``tasks`` takes from here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from taskproject.errors import (
    Contended,
    DomainError,
    Invalid,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    nearest,
    unknown_name,
)
from taskproject.texts import counted

__all__ = [
    "ANOTHER",
    "AlreadyAnswered",
    "AlreadyClaimed",
    "AtCapacity",
    "AtLimit",
    "Contended",
    "CursorExpired",
    "DependencyCycle",
    "DirectiveEnded",
    "DomainError",
    "IllegalTransition",
    "Invalid",
    "InvitationEnded",
    "LeaseLost",
    "MissingSkill",
    "NoActiveRun",
    "NotAssignee",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "NotReady",
    "PausedInProject",
    "QuestionEnded",
    "StopRequested",
    "Superseded",
    "TooManyDirectives",
    "TooSlow",
    "VersionMismatch",
    "nearest",
    "unknown_name",
]

ANOTHER = "Take another task."
#: A sentence names this many tasks; the data of the error names all.
MOST_NAMED = 20


class IllegalTransition(DomainError):
    """The table has no such move from the task's present status; ``passive`` as in "cannot be *sent back*"."""

    code, status, title = "illegal_transition", 409, "Not possible in this status"

    def __init__(self, passive: str, ref: str, status: str, allowed: list[str]) -> None:
        super().__init__(
            f"{{}} is {status.replace('_', ' ')} and cannot be {passive}.",
            f"Allowed now: {', '.join(allowed)}." if allowed else "Nothing is allowed now.",
            about=ref,
            task_status=status,
            allowed=allowed,
        )


class NotReady(DomainError):
    """A dependency or child is open, or the task is on hold or may not be started yet."""

    code, status, title = "not_ready", 409, "Not ready to start"

    def __init__(
        self,
        ref: str,
        *,
        blocked_by: list[str] | None = None,
        on_hold: bool = False,
        start_after: datetime | None = None,
        last_failure: dict[str, Any] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        if blocked_by:
            more = f" and {len(blocked_by) - MOST_NAMED:,} more" if len(blocked_by) > MOST_NAMED else ""
            named = f"{', '.join(blocked_by[:MOST_NAMED])}{more}"
            super().__init__(f"{{}} waits for {named}.", ANOTHER, about=ref, blocked_by=blocked_by)
        elif on_hold:
            super().__init__("{} is on hold.", ANOTHER, about=ref, on_hold=True)
        else:
            why = f", as attempt {last_failure['attempt']} failed" if last_failure else ""
            super().__init__(
                f"{{}} may not start before {start_after:%Y-%m-%d %H:%M:%S} UTC{why}.",
                ANOTHER,
                about=ref,
                start_after=start_after,
                ready_at=start_after,
                last_failure=last_failure,
                retry_after_seconds=retry_after_seconds,
            )


class AlreadyClaimed(DomainError):
    code, status, title = "already_claimed", 409, "Already claimed"

    def __init__(self, ref: str, *, holder: str, lease_expires_at: datetime | None) -> None:
        super().__init__(
            f"{{}} is held by {holder}.", ANOTHER, about=ref, holder=holder, lease_expires_at=lease_expires_at
        )


class AlreadyDecided(DomainError):
    """A follow-up became a task, was dismissed, or a later run named others in its place."""

    code, status, title = "already_decided", 409, "Already decided"

    def __init__(self, state: str, *, by: str = "") -> None:
        who = f" by {by}" if by else ""
        super().__init__(f"This follow-up was {state} already{who}.", "Look at the task again.", state=state)


class AlreadyAnswered(DomainError):
    """Somebody else was faster, or the caller gives another answer than before; ``answered_by`` None: its default."""

    code, status, title = "already_answered", 409, "Already answered"

    def __init__(self, *, answered_by: str | None, shown: str, value: Any, answered_at: datetime | None) -> None:
        who = f"{answered_by} answered this question" if answered_by else "Its default has answered this question"
        super().__init__(f"{who}: {shown}", "", answered_by=answered_by, value=value, answered_at=answered_at)


class Superseded(DomainError):
    """What the question is about has changed since it was asked."""

    code, status, title = "superseded", 409, "Superseded"


class QuestionEnded(DomainError):
    """The question was withdrawn, or its time is over: it has no answer and needs none."""

    code, status, title = "question_ended", 409, "The question has ended"


class InvitationEnded(DomainError):
    """An invitation was answered otherwise, was withdrawn, or its maker no longer manages the project."""

    code, status, title = "invitation_ended", 409, "The invitation has ended"


class TooLateToEdit(DomainError):
    """A message is too old, was edited too often, or has been delivered to the holder of a run."""

    code, status, title = "too_late_to_edit", 409, "Too late to edit the message"


class NotAssignee(DomainError):
    code, status, title = "not_assignee", 409, "Not an assignee"


class MissingSkill(DomainError):
    code, status, title = "missing_skill", 409, "A skill is missing"

    def __init__(self, ref: str, missing: Iterable[tuple[str, int]]) -> None:
        needs = [{"skill": skill, "min_level": level} for skill, level in missing]
        words = ", ".join(f"{need['skill']} at level {need['min_level']}" for need in needs)
        super().__init__(f"{{}} requires {words}.", "Take a task that fits your skills.", about=ref, missing=needs)


class PausedInProject(DomainError):
    """A manager of the project lets the agent take no work there."""

    code, status, title = "paused", 409, "Paused in the project"

    def __init__(self, agent: str, project: str) -> None:
        super().__init__(f"{agent} is paused in {project}.", "Take a task of another project, or ask a manager.")


class AtCapacity(DomainError):
    code, status, title = "at_capacity", 409, "No free capacity"

    def __init__(self, agent: str, capacity: int) -> None:
        super().__init__(
            f"{agent} works on {counted(capacity, 'task')} already, the most at a time.",
            "Finish one first.",
            capacity=capacity,
        )


class AtLimit(DomainError):
    """The project has as many tasks in a status as its limit allows, so agents start no new ones."""

    code, status, title = "at_limit", 409, "The project is at its limit"

    def __init__(self, project: str, status: str, count: int, limit: int) -> None:
        words = "in progress" if status == "in_progress" else "in review"
        super().__init__(
            f"{project} has {counted(count, 'task')} {words}, and agents stop starting tasks at {limit}.",
            "Take a task of another project, or wait.",
            project=project,
            limited_status=status,
            count=count,
            limit=limit,
        )


class LeaseLost(DomainError):
    """The run ended before this write; nothing was changed, and a late result was stored."""

    code, status, title = "lease_lost", 409, "The lease is lost"

    def __init__(self, ref: str, reason: str, *, kept: bool = False) -> None:
        tail = " The result was stored for staff to adopt." if kept else ""
        super().__init__(
            f"This run of {{}} is over ({reason}).",
            f"Stop working on it and write no results.{tail}",
            about=ref,
            reason=reason,
        )


class NoActiveRun(DomainError):
    """An instruction or stop for a task that nobody is working on."""

    code, status, title = "no_active_run", 409, "Nobody is working on it"


class TooManyDirectives(DomainError):
    code, status, title = "too_many_directives", 409, "Too many instructions"


class DirectiveEnded(DomainError):
    """An instruction or stop that is no longer as the caller wants to change it; ``state`` says what it is now."""

    code, status, title = "directive_ended", 409, "Too late"


class StopRequested(DomainError):
    """The holder of the run was told to stop: it may only be ended. Nothing was changed; ``directives`` say why.

    ``until``: when the run is revoked; None for a person's, which is not.
    """

    code, status, title = "stop_requested", 409, "Stop"

    def __init__(self, ref: str, directives: list[dict[str, Any]], until: datetime | None) -> None:
        super().__init__(
            "You were told to stop working on {}.",
            "Finish with release, fail or complete, and acknowledge.",
            about=ref,
            directives=directives,
            lease_expires_at=until,
        )


class DependencyCycle(DomainError):
    code, status, title = "dependency_cycle", 409, "A cycle of dependencies"

    def __init__(self, cycle: list[str]) -> None:
        named = cycle if len(cycle) <= MOST_NAMED else [*cycle[: MOST_NAMED // 2], "…", *cycle[-MOST_NAMED // 2 :]]
        super().__init__(f"That would create a cycle of dependencies: {' → '.join(named)}.", cycle=cycle)


class TooSlow(DomainError):
    """More tasks are to be looked through than anybody waits for."""

    code, status, title = "too_slow", 400, "The answer takes too long"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Looking through the tasks takes longer than {seconds:g} seconds.",
            "Add a filter, or look for rarer words.",
        )


class CursorExpired(DomainError):
    code, status, title = "cursor_expired", 410, "The cursor is too old"


class VersionMismatch(DomainError):
    """Someone else changed the task since the caller read it; ``task_id`` says which one the API should show."""

    code, status, title = "version_mismatch", 412, "It was changed meanwhile"

    def __init__(self, ref: str, task_id: int) -> None:
        super().__init__("{} has changed since you read it.", "Look at `current` and try again.", about=ref)
        self.task_id = task_id
