"""Changing one field of a task from what somebody typed, and what to say if somebody else was faster.

A form carries the text that it began with. It is compared with what the field says now, so that a change of another
field, or a run's progress, is no conflict; the verb then writes to the version that was compared.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction

from tasks.actions.dependencies import add_dependencies, lock_graph, remove_dependencies
from tasks.actions.tasks import EDITABLE_FIELDS, edit_task
from tasks.errors import Contended, DomainError, VersionMismatch
from tasks.events import kinds
from tasks.events.recording import name_of
from tasks.models import Event, Task
from tasks.permissions import EDITS, may, require
from tasks.using.calling import use
from tasks.using.task_fields import FIELDS, TaskField, Typed
from tasks.verbs.catalogue import ADD_DEPENDENCIES, ASSIGN, UNASSIGN

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TRIES = 3
#: Events that are looked through for who was faster.
LOOKED_BACK = 20
#: What records a change of the fields that have verbs of their own.
CHANGES: Final = {
    "assignees": (kinds.TASK_ASSIGNED, kinds.TASK_UNASSIGNED, kinds.TASK_DECLINED, kinds.TASK_OFFER_LAPSED),
    "depends_on": (kinds.TASK_DEPENDENCIES_ADDED, kinds.TASK_DEPENDENCIES_REMOVED),
}


class Clash(DomainError):
    """Somebody changed the field meanwhile: their text, mine, and both put together where that can be done."""

    code, status, title = VersionMismatch.code, VersionMismatch.status, VersionMismatch.title

    def __init__(
        self, field: TaskField, task: Task, theirs: str, mine: str, both: str | None, *, actor: "User"
    ) -> None:
        self.field, self.theirs, self.mine, self.both = field, theirs, mine, both
        self.by, self.at = _who(field, task)
        if self.by == name_of(actor):
            who, when = "You", "in another window"
        else:
            who, when = self.by or "Somebody else", "while you edited it"
        fact = f"{who} changed the {field.noun} of {{}} {when}, so nothing was saved."
        super().__init__(fact, "Choose which version to keep.", about=task.ref)


def may_edit_field(actor: "User", field: TaskField, task: Task) -> bool:
    """Whether an editor of ``field`` is offered: permitted, and legal in the task's status."""
    return _is_legal(field, task) and may(actor, field.right, task)


def editable_fields(actor: "User", task: Task) -> frozenset[str]:
    """The names of the fields of ``task`` whose editors are offered to ``actor``."""
    edits, assigns = may(actor, "edit", task), may(actor, "assign", task)
    # Whoever may edit a task may use all of EDITS: asked once.
    permitted = {"assign": assigns, **dict.fromkeys(EDITS, edits)}
    return frozenset(field.name for field in FIELDS.values() if permitted[field.right] and _is_legal(field, task))


def _is_legal(field: TaskField, task: Task) -> bool:
    verb = {"assign": ASSIGN, "edit_dependencies": ADD_DEPENDENCIES}.get(field.right)
    return verb is None or task.status in verb.statuses


def change_field(field: TaskField, *, actor: "User", task: Task, base: str, text: str, now: datetime) -> bool:
    """Make ``field`` of ``task`` say ``text``, and return whether it did not before.

    ``base``: what it said when the reader began. ``now`` has the reader's zone. Raises ``Clash`` if it says something
    else by now, and what the verbs raise.
    """
    base = _in_lines(base)
    if text == base:
        return False
    for _ in range(TRIES):
        current = Task.objects.select_related("project", "parent__project").get(pk=task.pk)
        says = _in_lines(field.write(current, now))
        if says == text:
            return False
        typed = Typed(actor, current.project, now)
        if says != base:
            require(actor, field.right, current)
            # What could not be saved anyway is not compared.
            field.read(text, typed)
            raise Clash(field, current, says, text, field.merge(base, text, says), actor=actor)
        try:
            _write(field, actor, current, base, text, typed)
        except VersionMismatch:
            continue
        return True
    raise Contended("Others changed this at the same moment.", "Save again.")


def _in_lines(text: str) -> str:
    """``text`` as a form sends it back, which ends its lines in its own way."""
    return text.replace("\r\n", "\n").strip()


def _write(field: TaskField, actor: "User", task: Task, base: str, text: str, typed: Typed) -> None:
    wanted = field.read(text, typed)
    if field.name in EDITABLE_FIELDS:
        edit_task(actor=actor, task=task, changes={field.name: wanted}, expected_version=task.version)
        return
    # Of what the reader saw, not of what there is: whatever somebody else has added since stays.
    began_with = field.read(base, typed)
    new = [each for each in wanted if each not in began_with]
    gone = [each for each in began_with if each not in wanted]
    with transaction.atomic():
        if field.right == "assign":
            # In this order, since taking away locks a run, and runs are locked before tasks.
            for verb, agents in ((UNASSIGN, gone), (ASSIGN, new)):
                if agents:
                    use(verb, actor=actor, task=task, values={"agents": [agent.slug for agent in agents]})
            return
        lock_graph(task.project_id)
        # In this order, so that the task is not ready in between.
        if new:
            add_dependencies(actor=actor, task=task, depends_on=new)
        if gone:
            remove_dependencies(actor=actor, task=task, depends_on=gone)


def _who(field: TaskField, task: Task) -> tuple[str, datetime | None]:
    """Who changed the field last, and when; empty if its events do not say."""
    changes = CHANGES.get(field.name, (kinds.TASK_EDITED,))
    events = Event.objects.filter(task=task, kind__in=changes).select_related("actor__agent").order_by("-pk")
    for change in events[:LOOKED_BACK]:
        if field.name in CHANGES or field.name in change.data.get("fields", ()):
            return name_of(change.actor), change.at
    return "", None
