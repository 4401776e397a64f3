"""Moving a card to another column: the verb that does it, or the sentence that says why not."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tasks import clock
from tasks.actions.claims import require_ready
from tasks.errors import NotPermitted, NotReady
from tasks.models import Task
from tasks.pages.board_lanes import LANES
from tasks.pages.task import find_task
from tasks.permissions import require
from tasks.transitions import Status
from tasks.using.forms import InputForm
from tasks.using.openness import Scene
from tasks.using.placing import base_of, why_no_other_lane, why_not_in_its_column
from tasks.verbs import Door, Verb, catalogue
from tasks.verbs.catalogue import at


@dataclass
class Move:
    """A column that the card may go to: the verb, and the form for its input."""

    target: Status
    verb: Verb
    form: InputForm | None = None
    #: Whether the lane in which the card is dropped says for whom it is.
    takes_lane: bool = False

    @property
    def button(self) -> str:
        return self.verb.on_board or self.verb.sent_by

    @property
    def asks(self) -> bool:
        return self.form is not None


@dataclass
class Refusal:
    """A column that the card may not go to, and why, in a sentence."""

    target: Status
    reason: str


def _target_of(verb: Verb, task: Task) -> Status | None:
    """Where ``verb`` leads from the board: a result goes to review if one is required, a failed attempt is final."""
    if Status.FAILED in verb.targets:
        return Status.FAILED
    if Status.IN_REVIEW in verb.targets:
        return Status.IN_REVIEW if task.review_required else Status.COMPLETED
    return next(iter(verb.targets), None)


def _moving(task: Task, target: Status) -> list[Verb]:
    """The verbs that move this task there, the preferred one first."""
    if target == task.status:
        return []
    return [verb for verb in at(Door.BOARD) if task.status in verb.statuses and _target_of(verb, task) == target]


def _why_no_verb(task: Task, target: Status) -> str:
    """Why nothing that a person can do leads from the task's status to ``target``."""
    now = task.get_status_display().lower()
    if target == task.status:
        return f"{task.ref} is already in this column."
    ways = [other for other in Status if _moving(task, other)]
    columns = " or ".join(f"“{way.label}”" for way in ways)
    there = f" From there it can go to {columns}." if ways else ""
    match target:
        case Status.WAITING:
            return f"{task.ref} waits only when the agent working on it asks a question."
        case Status.IN_REVIEW if task.status == Status.IN_PROGRESS:
            return f"{task.ref} requires no review; its holder completes it."
        case Status.COMPLETED if task.status == Status.IN_PROGRESS:
            return f"{task.ref} requires a review before it is completed; its holder sends it to review first."
        case Status.COMPLETED | Status.IN_REVIEW | Status.FAILED if task.status == Status.NOT_STARTED:
            return f"{task.ref} has not been started.{there}"
    return f"{task.ref} is {now}, so it cannot become {target.label.lower()}.{there}"


def _why_not_permitted(scene: Scene, verb: Verb) -> str:
    try:
        require(scene.actor, verb.needs_right, scene.task, run=scene.run_in_question(verb))
    except NotPermitted as error:
        return error.sentence
    return f"You may not {verb.to(scene.task.ref)} now."


def _move(scene: Scene, verb: Verb, target: Status) -> Move:
    if not verb.asks:
        return Move(target, verb)
    people = scene.people if verb.person else ()
    return Move(target, verb, InputForm(verb, scene.task, people=people, short=True, auto_id="move-%s"))


def _begins(scene: Scene, legal: list[Verb], *, of_lane: bool = False) -> Move | Refusal:
    """Start for the user, or as a manager for another person; ``of_lane``: for whoever's lane it is."""
    task, target = scene.task, Status.IN_PROGRESS
    usable = [verb for verb in legal if scene.is_open(verb)]
    if usable and of_lane:
        return Move(target, catalogue.START, takes_lane=True)
    if usable:
        return _move(scene, usable[0], target)
    permitted = [verb for verb in legal if scene.is_permitted(verb)]
    if not permitted:
        return Refusal(target, _why_not_permitted(scene, legal[0]))
    try:
        require_ready(task, scene.now)
    except NotReady as error:
        return Refusal(target, error.sentence)
    if catalogue.START_FOR in permitted and not scene.people:
        return Refusal(
            target,
            f"Nobody in {task.project.key} can start {task.ref}; LLM agents claim it themselves.",
        )
    # The verb decides whether there is capacity, and who has the task by then.
    return Move(target, catalogue.START, takes_lane=of_lane)


def moves_of(scene: Scene, group: str = "") -> list[Move | Refusal]:
    """The move that the actor may make to each column, or why not; ``group``: of what the board's lanes are."""
    ways: list[Move | Refusal] = []
    for target in Status:
        legal = _moving(scene.task, target)
        usable = [verb for verb in legal if scene.is_open(verb)]
        if not legal:
            ways.append(Refusal(target, _why_no_verb(scene.task, target)))
        elif target == Status.IN_PROGRESS:
            ways.append(_begins(scene, legal, of_lane=group == "assignee"))
        elif usable:
            ways.append(_move(scene, usable[0], target))
        else:
            ways.append(Refusal(target, _why_not_permitted(scene, legal[0])))
    return ways


@require_safe
@login_required
def moves(request: HttpRequest, ref: str) -> HttpResponse:
    """The forms that move this task's card, one per column that it may go to, and a sentence for every other column.

    With ``group`` the board is in lanes of that: then also the form that puts the card in another one of its column.
    """
    user: Any = request.user
    task = find_task(request, ref)
    scene = Scene(user, task, clock.now())
    group = request.GET.get("group", "")
    group = group if group in LANES else ""
    context = {
        "task": task,
        "moves": moves_of(scene, group),
        "run": scene.held if scene.holds else None,
        "group": group,
        "base": base_of(task, group, timezone.localtime()),
    }
    if group:
        context["why_no_lane"] = why_no_other_lane(user, task, group)
        context["why_not_here"] = context["why_no_lane"] or why_not_in_its_column(user, task, group)
    return render(request, "tasks/_moves.html", context)
