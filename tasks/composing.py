"""The composer: where a reader writes, what it may be, and what will become of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tasks.models import MessageKind, Run, Task
from tasks.outlook import Outlook, Reaches, outlook
from tasks.permissions import may, may_instruct

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True)
class ComposerKind:
    """One kind of message that the reader may send; ``words`` say what will become of it, ``kept_words`` if it is kept
    for the next run; empty where it cannot be. ``last_report_at``: of a holder that has it with its next report.
    """

    value: str
    words: str
    kept_words: str = ""
    last_report_at: datetime | None = None

    @property
    def label(self) -> str:
        return str(MessageKind(self.value).label)


@dataclass(frozen=True)
class Composer:
    """``project``: whose members the text may mention; empty where it mentions nobody. ``keep``: whether an instruction
    is kept unless the reader says otherwise.
    """

    label: str
    placeholder: str
    project: str = ""
    kinds: tuple[ComposerKind, ...] = ()
    keep: bool = False


def composer_of(task: Task, reader: "User", *, run: Run | None, now: datetime) -> Composer | None:
    """The composer of a task's thread; None if the reader may not write there.

    ``run``: the active one with its agent and user, if there is one.
    """
    if not may(reader, "comment", task):
        return None
    kinds: tuple[ComposerKind, ...] = ()
    keep = False
    if may_instruct(reader, task):
        expected = outlook(task, run, now)
        keep = expected.reaches is Reaches.NEXT_RUN
        kinds = _kinds(task, expected)
    return Composer(f"Write about {task.ref}", "Write a comment…", task.project.key, kinds, keep)


def _kinds(task: Task, expected: Outlook) -> tuple[ComposerKind, ...]:
    if expected.reaches is Reaches.NEVER:
        return ()
    comment = "For all members; nobody has to follow it."
    last = expected.last_report_at if expected.reaches is Reaches.NEXT_REPORT else None
    if expected.reaches is Reaches.NEXT_RUN:
        stop = "Nobody is working on it: there is nothing to stop."
    elif expected.is_stopping:
        stop = f"{expected.holder} has been told to stop already."
    else:
        grace = _in_words(task.project.stop_grace_seconds)
        stop = f"{expected.words} From then on it may only end its run, and after {grace} the run is revoked."
    return (
        ComposerKind(MessageKind.COMMENT, comment),
        ComposerKind(MessageKind.INSTRUCTION, expected.words, expected.kept_words, last),
        ComposerKind(MessageKind.STOP, stop, last_report_at=last),
    )


def _in_words(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
