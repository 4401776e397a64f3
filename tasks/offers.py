"""Which verbs somebody may use on a task now: legal by the table and permitted. Buttons are made from this."""

from typing import TYPE_CHECKING

from tasks.actions.funnel import active_run
from tasks.actions.reviews import authored_run
from tasks.models import Task
from tasks.permissions import may
from tasks.transitions import TRANSITIONS, Status, Who, allowed

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def open_verbs(actor: "User", task: Task) -> list[str]:
    """The verbs that ``actor`` may use on ``task`` as it is now, in the order of the table.

    A verb of reviewers is judged by the run under review, whose author may not judge it; one of holders by the active
    run. Whether the verb succeeds (capacity, skills, a lost race) is its own to say.
    """
    held = active_run(task) if task.status == Status.IN_PROGRESS else None
    judged = authored_run(task) if task.status == Status.IN_REVIEW else None
    return [
        verb
        for verb in allowed(task.status)
        if may(actor, verb, task, run=judged if Who.REVIEWER in TRANSITIONS[verb].who else held)
    ]
