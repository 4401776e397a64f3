"""What will become of an instruction or stop for a task, said before it is sent."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tasks.models import AgentKind, Run, Task
from tasks.replies import listens
from tasks.transitions import TERMINAL, Status


class Reaches(StrEnum):
    """When the holder of the run will have it."""

    AT_ONCE = "at_once"
    NEXT_REPORT = "next_report"
    #: A person works on it: on the task's page.
    ON_THE_PAGE = "on_the_page"
    #: Nobody works on it: a kept instruction waits for the next run, anything else is refused.
    NEXT_RUN = "next_run"
    #: The task has ended: everything is refused.
    NEVER = "never"


@dataclass(frozen=True)
class Outlook:
    """``holder``: slug; ``last_report_at``: when the holder was last heard of; ``words``: one sentence for people.

    ``kept_words``: the same for an instruction that is kept; ``is_stopping``: the holder was told to stop already.
    """

    reaches: Reaches
    words: str
    kept_words: str
    holder: str | None = None
    last_report_at: datetime | None = None
    is_stopping: bool = False

    def as_of(self, now: datetime) -> "Outlook":
        """The same, and how long ago the last report was, where that says when the next may come. For readers of text;
        pages show ``last_report_at`` as a time, which they keep current.
        """
        if self.reaches is not Reaches.NEXT_REPORT or self.last_report_at is None:
            return self
        last = f"; the last was {ago(self.last_report_at, now)}."
        return replace(self, words=self.words[:-1] + last, kept_words=self.kept_words[:-1] + last)


def outlook(task: Task, run: Run | None, now: datetime) -> Outlook:
    """What to expect now. ``run``: the active one with its agent and user, if there is one. At most one cheap query.

    A holder that waits in a heartbeat or follows the stream asks for what it is told as soon as it is told.
    """
    if run is None:
        return _without_run(task)
    name, stopping = run.agent.slug, run.stop_delivered_at is not None
    about: dict[str, Any] = {"holder": name, "last_report_at": run.last_heartbeat_at, "is_stopping": stopping}
    if run.agent.kind == AgentKind.HUMAN and not run.lease_seconds:
        words = f"{name} sees it on this page"
        return Outlook(Reaches.ON_THE_PAGE, f"{words}.", f"{words}, or else the next run gets it.", **about)
    if (run.waits_until is not None and run.waits_until > now) or listens(run.agent.user):
        words = f"Reaches {name} at once"
        return Outlook(Reaches.AT_ONCE, f"{words}.", f"{words}, or else the next run.", **about)
    words = f"Reaches {name} with its next report"
    return Outlook(Reaches.NEXT_REPORT, f"{words}.", f"{words}, or else the next run.", **about)


def _without_run(task: Task) -> Outlook:
    if task.status in TERMINAL:
        words = f"The task is {Status(task.status).label.lower()}: nobody would get it."
        return Outlook(Reaches.NEVER, words, words)
    return Outlook(
        Reaches.NEXT_RUN,
        "Nobody is working on it, and this starts no run.",
        "Starts no run; whoever works on it next gets it first.",
    )


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit: ``40 s ago``."""
    seconds = max(int((now - then).total_seconds()), 0)
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
