"""The one family of domain errors: a stable code, one sentence that says what to do, and data to go on with.

``taskproject.api.problems`` turns them into problem+json; admin and commands show the sentence.
Imports nothing of ours.
"""

import difflib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar


def unknown_name(name: str, known: Iterable[str], *, what: str) -> str:
    """One sentence for a name that is not known, with the nearest one that is."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"There is no {what} {name!r}; did you mean {close[0]!r}?" if close else f"There is no {what} {name!r}."


class DomainError(Exception):
    """A verb was refused. ``code`` is stable; ``data`` holds what ``api.md`` lists for that code."""

    code: ClassVar[str] = "validation_error"

    def __init__(self, detail: str, **data: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


class Invalid(DomainError):
    """Input that breaks a rule; ``errors`` maps each field to its messages."""

    code = "validation_error"

    def __init__(self, errors: dict[str, list[str] | str]) -> None:
        listed = {field: [text] if isinstance(text, str) else list(text) for field, text in errors.items()}
        first_field, first_texts = next(iter(listed.items()))
        super().__init__(f"{first_field}: {first_texts[0]}", errors=listed)


class NotAuthenticated(DomainError):
    code = "not_authenticated"


class NotPermitted(DomainError):
    code = "permission_denied"


class NotFound(DomainError):
    code = "not_found"


class IllegalTransition(DomainError):
    """The table has no such move from the task's present status."""

    code = "illegal_transition"

    def __init__(self, verb: str, ref: str, status: str, allowed: list[str]) -> None:
        rest = f"allowed now: {', '.join(allowed)}" if allowed else "nothing is allowed now"
        super().__init__(
            f"{ref} is {status.replace('_', ' ')}, so it cannot be used with {verb}; {rest}.",
            task_status=status,
            allowed=allowed,
        )


class NotReady(DomainError):
    """A dependency or child is open, or the task may not begin yet."""

    code = "not_ready"

    def __init__(self, ref: str, *, blocked_by: list[str] | None = None, start_after: datetime | None = None) -> None:
        data: dict[str, Any] = {}
        if blocked_by:
            data["blocked_by"] = blocked_by
            detail = f"{ref} waits for {', '.join(blocked_by)}; take another task."
        else:
            data["start_after"] = start_after
            detail = f"{ref} may not start before {start_after:%Y-%m-%d %H:%M:%S} UTC; take another task."
        super().__init__(detail, **data)


class AlreadyClaimed(DomainError):
    code = "already_claimed"

    def __init__(self, ref: str, *, holder: str, lease_expires_at: datetime | None) -> None:
        super().__init__(
            f"{ref} is held by {holder}; take another task.", holder=holder, lease_expires_at=lease_expires_at
        )


class NotAssignee(DomainError):
    code = "not_assignee"


class MissingSkill(DomainError):
    code = "missing_skill"

    def __init__(self, ref: str, missing: Iterable[tuple[str, int]]) -> None:
        needs = [{"skill": skill, "min_level": level} for skill, level in missing]
        words = ", ".join(f"{need['skill']} at level {need['min_level']}" for need in needs)
        super().__init__(f"{ref} requires {words}; take a task that fits your skills.", missing=needs)


class AtCapacity(DomainError):
    code = "at_capacity"

    def __init__(self, agent: str, capacity: int) -> None:
        super().__init__(
            f"{agent} already works on {capacity} of {capacity} tasks; finish one first.", capacity=capacity
        )


class LeaseLost(DomainError):
    """The run ended before this write; nothing was changed, and a result that came late was kept."""

    code = "lease_lost"

    def __init__(self, ref: str, reason: str, *, kept: bool = False) -> None:
        tail = " The result was kept for staff to adopt." if kept else ""
        super().__init__(
            f"This run of {ref} is over ({reason}); stop working on it and write no results.{tail}", reason=reason
        )


class DependencyCycle(DomainError):
    code = "dependency_cycle"

    def __init__(self, cycle: list[str]) -> None:
        super().__init__(f"That would close a circle of dependencies: {' → '.join(cycle)}.", cycle=cycle)


class Contended(DomainError):
    """Others changed the same rows again and again while this verb tried."""

    code = "contended"


class CursorExpired(DomainError):
    code = "cursor_expired"


class VersionMismatch(DomainError):
    """Someone else wrote the task since the caller read it; ``task_id`` tells the API which one to show."""

    code = "version_mismatch"

    def __init__(self, ref: str, task_id: int) -> None:
        super().__init__(f"{ref} has changed since you read it; look at `current` and try again.")
        self.task_id = task_id
