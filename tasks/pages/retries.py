"""Another try after a failure, as cards, rows and the task's page show it: what failed, when and which is the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from taskproject.errors import shortened
from tasks.models import Task
from tasks.transitions import Status, ready_at

#: How much of a failure's code is shown where there is little room.
CODE_SHOWN: Final = 60
#: What is read of a task for this.
FIELDS: Final = ("status", "last_failure", "attempts", "max_attempts", "deferred_until", "start_after")
#: Costs no attempt.
_LEASE_EXPIRED: Final = "lease_expired"


@dataclass(frozen=True, slots=True)
class Retry:
    """``failure``: who failed with what, and which attempt is next; ``running``: which one runs, if not the first.

    Both are empty if there is nothing to say; ``rests_until`` is set while the task waits only because it failed.
    """

    failure: str = ""
    running: str = ""
    rests_until: datetime | None = None
    next_attempt: int = 1


def retry_of(task: Task, now: datetime) -> Retry:
    """How it stands with another try of ``task``."""
    return retry_of_values({name: getattr(task, name) for name in FIELDS}, now)


def retry_of_values(task: Mapping[str, Any], now: datetime) -> Retry:
    """The same for the values of a row: ``FIELDS``."""
    failure, status, most = task["last_failure"], task["status"], task["max_attempts"]
    number = task["attempts"] + 1
    if status == Status.IN_PROGRESS and number > 1:
        return Retry(running=f"Attempt {number} of {most}", next_attempt=number)
    if failure is None or status not in (Status.NOT_STARTED, Status.FAILED):
        return Retry(next_attempt=number)
    words = f"{failure['agent']}: {shortened(failure['code'], CODE_SHOWN)}"
    if status == Status.FAILED:
        last = "" if failure["code"] == _LEASE_EXPIRED else f"; it was attempt {failure['attempt']} of {most}"
        return Retry(failure=words + last, next_attempt=number)
    until = ready_at(status, task["deferred_until"], now)
    return Retry(
        failure=f"{words}; next is attempt {number} of {most}",
        # A start date of its own is no rest.
        rests_until=until if until != task["start_after"] else None,
        next_attempt=number,
    )
