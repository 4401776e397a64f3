"""The latest decision of automatic assignment on a task, in words, for the pages and the admin."""

from dataclasses import dataclass

from tasks.matching import words
from tasks.models import AssignmentDecision, Task
from tasks.transitions import Status


@dataclass(frozen=True)
class Decision:
    """A decision to show. ``warning``: why nobody can be found, if somebody has to change something."""

    made: AssignmentDecision
    title: str
    sentences: list[str]
    warning: str = ""


def latest_decision(task: Task) -> Decision | None:
    """To whom the task was offered and why, or why it waited; None if nothing was decided."""
    made = AssignmentDecision.objects.filter(task=task).select_related("agent").order_by("-pk").first()
    if made is None:
        return None
    sentences = words.sentences(made.candidates, made.others)
    if made.agent is not None:
        return Decision(made, f"Why {made.agent.slug}?", sentences)
    return Decision(made, "Why nobody?", sentences, made.warning)


def decision_that_holds(task: Task) -> Decision | None:
    """The latest decision, unless it says why nobody was found and that no longer matters."""
    decision = latest_decision(task)
    if decision is None or decision.made.agent is not None:
        return decision
    overtaken = decision.made.ended_at is not None or task.status != Status.NOT_STARTED
    return None if overtaken else decision
