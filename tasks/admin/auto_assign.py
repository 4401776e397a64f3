"""What *Auto-assign…* would do, shown before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks import clock
from tasks.assignment.dispatcher import preview
from tasks.assignment.on_demand import sort_out, why_not
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
    sorted_out = sort_out(tasks, now)
    waiting = sorted_out.waiting
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
    refused = [task for task in tasks if task.pk in sorted_out.offered] + sorted_out.others
    # Reasons cost a query each.
    for task in refused[: max(0, SHOWN - len(shown.lines))]:
        shown.lines.append(Line(task.ref, why_not(task, now).fact))
    shown.more = len(tasks) - len(shown.lines)
    return shown
