"""Moving a card to another column: the verb that does it, or the sentence that says why not."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tasks import clock
from tasks.actions.claims import require_ready
from tasks.actions.reviews import authored_run
from tasks.errors import NotPermitted, NotReady
from tasks.models import Agent, Run, Task
from tasks.pages import verbs
from tasks.pages.task import find_task, people_for
from tasks.permissions import agent_of, require
from tasks.transitions import TRANSITIONS, Status, Who, is_legal

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Verbs that move a card, the one to prefer first. Failing here is for good; for another try the holder gives back.
MOVING = ("start", "complete", "approve", "request_changes", "fail", "release", "cancel", "reopen")
BUTTONS = {
    "start": "Start", "complete": "Complete", "approve": "Approve", "request_changes": "Send back",
    "fail": "Fail for good", "release": "Give back", "cancel": "Cancel the task", "reopen": "Reopen",
}  # fmt: skip
#: These do not move before something was asked: a text, or whether it is meant.
ASKING = frozenset({"complete", "request_changes", "fail", "cancel"})


@dataclass
class Move:
    """A column that the card may go to: the verb, and ``people`` to choose from where it is started for somebody."""

    target: Status
    verb: str
    people: list[str] = field(default_factory=list)

    @property
    def button(self) -> str:
        return BUTTONS[self.verb]

    @property
    def asks(self) -> bool:
        return self.verb in ASKING or bool(self.people)


@dataclass
class Refusal:
    """A column that the card may not go to, and why, in a sentence."""

    target: Status
    reason: str


def _leads_to(verb: str, task: Task, target: Status) -> bool:
    """Whether ``verb`` moves this task there: a completion leads to review where the task requires one."""
    if verb not in MOVING or not is_legal(verb, task.status, target):
        return False
    if verb == "complete":
        return (target == Status.IN_REVIEW) == task.review_required
    return verb != "fail" or target == Status.FAILED


def _why_no_verb(task: Task, target: Status) -> str:
    """Why nothing that a person can do leads from the task's status to ``target``."""
    now = task.get_status_display().lower()
    if target == task.status:
        return f"{task.ref} is {now} already."
    ways = [other for other in Status if any(_leads_to(verb, task, other) for verb in MOVING)]
    columns = " or ".join(f"“{way.label}”" for way in ways)
    there = f" From there it can go to {columns}." if ways else ""
    match target:
        case Status.WAITING:
            return f"{task.ref} waits only when the agent that works on it asks a question."
        case Status.IN_REVIEW if task.status == Status.IN_PROGRESS:
            return f"{task.ref} requires no review; its holder completes it."
        case Status.COMPLETED if task.status == Status.IN_PROGRESS:
            return f"{task.ref} requires a review before it is completed; its holder sends it to review first."
        case Status.COMPLETED | Status.IN_REVIEW | Status.FAILED if task.status == Status.NOT_STARTED:
            return f"{task.ref} has not been started.{there}"
    return f"{task.ref} is {now}, so it cannot become {target.label.lower()}.{there}"


def _why_not_permitted(user: "User", verb: str, task: Task, run: Run | None) -> str:
    try:
        require(user, verb, task, run=run)
    except NotPermitted as error:
        return error.detail
    return f"You may not {verb.replace('_', ' ')} {task.ref} now."


def _begins(user: "User", task: Task, offers: list[str], refused: str, now: datetime) -> Move | Refusal:
    """Start for oneself, or as a manager for a person."""
    try:
        require_ready(task, now)
    except NotReady as error:
        refused = refused or error.detail
    if "start" in offers:
        return Move(Status.IN_PROGRESS, "start")
    if "start_for" in offers:
        people = people_for(task)
        if people:
            return Move(Status.IN_PROGRESS, "start", people)
        return Refusal(
            Status.IN_PROGRESS,
            f"No person of {task.project.key} can start {task.ref}; LLM agents begin by claiming it themselves.",
        )
    if refused:
        return Refusal(Status.IN_PROGRESS, refused)
    return Move(Status.IN_PROGRESS, "start")


def moves_of(user: "User", task: Task, assignees: list[Agent], held: Run | None) -> list[Move | Refusal]:
    """For each column the move that ``user`` may make, or why not. ``held``: the active run."""
    now = clock.now()
    offers = verbs.offered(user, task, now, assignees)
    judged = authored_run(task) if task.status == Status.IN_REVIEW else None
    found: list[Move | Refusal] = []
    for target in Status:
        legal = [verb for verb in MOVING if target != task.status and _leads_to(verb, task, target)]
        usable = [verb for verb in legal if verb in offers]
        if not legal:
            found.append(Refusal(target, _why_no_verb(task, target)))
        elif legal[0] == "start":
            is_open = "start" in verbs.open_verbs(user, task)
            refused = "" if is_open else _why_not_permitted(user, "start", task, None)
            found.append(_begins(user, task, offers, refused, now))
        elif usable:
            found.append(Move(target, usable[0]))
        else:
            run = judged if Who.REVIEWER in TRANSITIONS[legal[0]].who else held
            found.append(Refusal(target, _why_not_permitted(user, legal[0], task, run)))
    return found


@require_safe
@login_required
def moves(request: HttpRequest, ref: str) -> HttpResponse:
    """The forms that move this task's card, one per column it may go to, and a sentence for each other column."""
    user: Any = request.user
    task = find_task(request, ref)
    held = Run.objects.active().filter(task=task).select_related("agent").first()
    assignees = list(Agent.objects.filter(assignments__task=task, assignments__ended_at__isnull=True))
    me = agent_of(user)
    context = {
        "task": task,
        "moves": moves_of(user, task, assignees, held),
        "run": held if held is not None and me is not None and held.agent_id == me.pk else None,
        "criteria": [str(text) for text in task.criteria],
    }
    return render(request, "tasks/_moves.html", context)
