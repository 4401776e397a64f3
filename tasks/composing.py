"""The composer: where a reader writes, what it may be, and what will happen to it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.models import Task
from tasks.permissions import may

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User


@dataclass(frozen=True)
class ComposerKind:
    """One kind of message that the reader may send: ``words`` say what will happen to it."""

    value: str
    label: str
    words: str


@dataclass(frozen=True)
class Composer:
    """``project``: whose members the text may mention; empty where it mentions nobody."""

    label: str
    placeholder: str
    project: str = ""
    kinds: tuple[ComposerKind, ...] = ()


def composer_of(task: Task, reader: "User", *, now: "datetime") -> Composer | None:
    """The composer of a task's thread; None if the reader may not write there."""
    if not may(reader, "comment", task):
        return None
    return Composer(f"Write about {task.ref}", "Write a comment…", task.project.key)
