"""What *Auto-assign…* would do, shown before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks import clock
from tasks.assignment.dispatcher import preview, require_waiting
from tasks.errors import DomainError
from tasks.matching import words
from tasks.matching.records import record_of
from tasks.models import Task

#: How many tasks a preview shows individually.
SHOWN = 50


@dataclass(frozen=True)
class Line:
    """The outcome for one task."""

    ref: str
    why: str
    agent: str | None = None
    score: float | None = None
    margin: float | None = None
    sentences: list[str] = field(default_factory=list)


@dataclass
class Preview:
    offered: int = 0
    more: int = 0
    policies: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def preview_of(tasks: Sequence[Task]) -> Preview:
    """How ``tasks`` would be matched now, and why the others are left out."""
    shown, now = Preview(), clock.now()
    waiting, refused = [], []
    for task in tasks:
        try:
            require_waiting(task, now)
            waiting.append(task)
        except DomainError as error:
            refused.append(Line(task.ref, error.fact))
    for matching in preview(waiting) if waiting else ():
        shown.offered += len(matching.agent_of)
        shown.policies.append(matching.policy.label.lower())
        order = sorted(range(len(matching.snapshot.tasks)), key=lambda n: n not in matching.agent_of)
        for number in order[: SHOWN - len(shown.lines)]:
            record = record_of(matching, number)
            sentences = words.sentences(record.rows, record.others)
            why = sentences[0] if record.slug else words.why_nobody(record.rows, record.others)
            ref = matching.snapshot.tasks[number].ref
            shown.lines.append(Line(ref, why, record.slug, record.score, record.margin, sentences))
    shown.lines += refused[: max(0, SHOWN - len(shown.lines))]
    shown.more = len(tasks) - len(shown.lines)
    return shown
