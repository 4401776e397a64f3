"""Dropping a card in a lane of the board: the field that the lanes are of is changed, and the task moved, or neither.

Where a card is dropped is a column and a lane. The form says what the field said when the drag began, as the form of an
editor does (``editing``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tasks.actions.dependencies import lock_graph
from tasks.actions.funnel import active_run
from tasks.actions.names import agents_named
from tasks.actions.transactions import in_transaction
from tasks.errors import DomainError, Invalid, NotPermitted, VersionMismatch
from tasks.models import Agent, Priority, Task
from tasks.permissions import require
from tasks.transitions import Status
from tasks.using.calling import outcome, use
from tasks.using.editing import Clash, change_field, may_edit_field
from tasks.using.posting import press
from tasks.using.task_fields import FIELDS, TaskField, in_one_line, names_in
from tasks.verbs import Verb
from tasks.verbs.catalogue import START, START_FOR

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Of each kind of lanes, the field that a card gets there. A task does not change its project.
FIELD_OF: Final = {"assignee": "assignees", "priority": "priority", "label": "labels", "parent": "parent"}


class Overtaken(DomainError):
    """The task is not as it was when the drag began."""

    code, status, title = VersionMismatch.code, VersionMismatch.status, VersionMismatch.title

    def __init__(self, fact: str) -> None:
        super().__init__(fact, "Look at the card and drop it again.")


@dataclass(frozen=True)
class Place:
    """Where a card was dropped: in the column ``status`` and the lane ``lane`` of ``group``, from ``came_from``.

    ``lane`` and ``came_from`` as in ``board_lanes.Lane.key``; ``base``: what the field said when the drag began.
    """

    group: str
    status: str
    lane: str
    came_from: str
    base: str

    @property
    def field(self) -> TaskField:
        if self.group not in FIELD_OF:
            raise Invalid({"lane": "A task does not change its project."})
        return FIELDS[FIELD_OF[self.group]]

    @property
    def is_other_lane(self) -> bool:
        return self.lane != self.came_from


def base_of(task: Task, group: str, now: datetime) -> str:
    """What the field of the lanes says now."""
    return FIELDS[FIELD_OF[group]].write(task, now).strip() if group in FIELD_OF else ""


def why_no_other_lane(actor: "User", task: Task, group: str) -> str:
    """Why the card cannot be dropped in another lane, whatever the column; empty if it can."""
    if group not in FIELD_OF:
        return f"{task.ref} stays in its lane: a task does not change its project."
    try:
        require(actor, FIELDS[FIELD_OF[group]].right, task)
    except NotPermitted as error:
        return error.sentence
    return ""


def why_not_in_its_column(actor: "User", task: Task, group: str) -> str:
    """Why it cannot be dropped in another lane of the column that it is in; empty if it can."""
    field = FIELDS[FIELD_OF[group]]
    if not may_edit_field(actor, field, task):
        return f"{task.ref} is {task.get_status_display().lower()}, so it keeps its {field.noun}."
    return _why_it_keeps_its_holder(task) if group == "assignee" else ""


def _why_it_keeps_its_holder(task: Task) -> str:
    """Whoever works on a task in progress holds it: taking it away also moves it."""
    run = active_run(task) if task.status == Status.IN_PROGRESS else None
    if run is None:
        return ""
    return f"{run.agent.slug} is working on {task.ref}; drop it in “{Status.NOT_STARTED.label}” to take it away."


@in_transaction
def place_card(*, actor: "User", task: Task, place: Place, verb: Verb | None, data: Any, now: datetime) -> str:
    """Put ``task`` where its card was dropped, and return a sentence about the outcome.

    ``verb``: what moves it to that column, with the posted ``data``; None if it is there. Raises ``DomainError``, and
    then neither the column nor the lane has changed.
    """
    if place.group == "assignee" and verb in (START, START_FOR):
        return _begin(actor, task, place, now)
    if not place.is_other_lane:
        return press(verb, actor=actor, task=task, data=data)
    field = place.field
    if field.name == "parent":
        # Before the verb locks the task, as everyone who changes the graph does.
        lock_graph(task.project_id)
    base, said = place.base, []
    if verb is not None:
        if base_of(task, place.group, now) != base:
            raise Overtaken(f"Somebody changed the {field.noun} of {task.ref} meanwhile, so it stays where it was.")
        said.append(press(verb, actor=actor, task=task, data=data))
        if field.name == "assignees":
            # Of a task that is reopened those come back who had it.
            base = base_of(task, place.group, now)
    elif place.group == "assignee" and (why := _why_it_keeps_its_holder(task)):
        raise Invalid({"agents": why})
    said.append(_change(actor, task, place, base, now))
    _require_there(task, place)
    return " ".join(said)


def _begin(actor: "User", task: Task, place: Place, now: datetime) -> str:
    """Start the task for whoever's lane it is: for oneself without asking for more rights than that takes."""
    if not place.lane:
        raise Invalid({"agents": f"Whoever starts {task.ref} has it; drop it in somebody's lane."})
    agent = agents_named([place.lane], project=task.project)[0]
    # Agents are locked before tasks, as by whoever claims one.
    Agent.objects.select_for_update(no_key=True).filter(pk=agent.pk).values_list("pk").first()
    assigned = names_in(place.base, "agents")
    is_self = agent.user_id == actor.pk
    if assigned and agent.slug not in assigned:
        _change(actor, task, place, place.base, now)
    if is_self:
        run = use(START, actor=actor, values={}, task=task)
    else:
        run = use(START_FOR, actor=actor, values={"agent": agent.slug}, task=task)
    _require_there(task, place)
    return outcome(START, task.ref, run)


def _require_there(task: Task, place: Place) -> None:
    """Raise ``Overtaken`` if the task is not in the column by now: somebody else, or the change itself, moved it."""
    status = Task.objects.filter(pk=task.pk).values_list("status", flat=True).first()
    if status != place.status:
        raise Overtaken(f"{task.ref} was moved meanwhile, so nothing was changed.")


def _change(actor: "User", task: Task, place: Place, base: str, now: datetime) -> str:
    """Change the field of the lanes; returns a sentence."""
    field = place.field
    try:
        text = _text(place, base)
        change_field(field, actor=actor, task=task, base=base, text=text, now=now)
    except Clash as clash:
        who = clash.by or "Somebody else"
        raise Overtaken(f"{who} changed the {field.noun} of {task.ref} meanwhile, so nothing was changed.") from None
    return _said(task, place, base)


def _text(place: Place, base: str) -> str:
    """What the field says of a card in that lane."""
    if place.group != "label":
        return place.lane
    if not place.lane:
        return ""
    return in_one_line(sorted({place.lane, *names_in(base, "labels")} - {place.came_from}))


def _said(task: Task, place: Place, base: str) -> str:
    ref, lane = task.ref, place.lane
    match place.group:
        case "assignee":
            gone = [name for name in names_in(base, "agents") if name != lane]
            if not lane:
                return f"Unassigned {ref}: nobody has it now."
            return f"Assigned {ref} to {lane}{f', no longer to {_listed(gone)}' if gone else ''}."
        case "priority":
            return f"The priority of {ref} is now {Priority[lane.upper()].label.lower()}."
        case "parent":
            return f"{ref} is now part of {lane}." if lane else f"{ref} is no longer part of {place.came_from}."
    if not lane:
        return f"{ref} has no label now."
    sentence = f"{ref} now has the label {lane}{f' instead of {place.came_from}' if place.came_from else ''}."
    first = task.labels.order_by("name").values_list("name", flat=True).first()
    return sentence if first == lane else f"{sentence} It is shown with {first}, its first label."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
