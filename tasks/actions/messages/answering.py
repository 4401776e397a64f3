"""What becomes of an instruction or stop by hand: its receiver answers it, or its sender takes it back."""

from typing import TYPE_CHECKING

from tasks import clock
from tasks.actions.directives.instructions import Instructions, instructions
from tasks.actions.locking import lock_runs, lock_tasks
from tasks.actions.transactions import verb
from tasks.errors import DirectiveEnded, Invalid, LeaseLost, NotFound, NotPermitted
from tasks.events import kinds
from tasks.events.recording import record
from tasks.models import DIRECTIVES, DirectiveState, Message, MessageKind, Run
from tasks.models.message import PENDING
from tasks.permissions import agent_of
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@verb(catalogue.ACK)
def ack_message(
    *, actor: "User", message: Message, outcome: str = DirectiveState.ACKNOWLEDGED.value, note: str = ""
) -> Message:
    """The holder of the run answers an instruction or stop: ``outcome`` is *acknowledged* or *declined*.

    Repeating it changes nothing. Raises ``NotPermitted`` for anybody else, ``Invalid``, ``LeaseLost`` once the run has
    ended, ``DirectiveEnded`` if it was answered otherwise or withdrawn.
    """
    message = _load(message)
    if message.run_id is None:
        raise NotPermitted("It waits for the task's next run.", "Its holder answers it.")
    runs = Run.objects.select_related("task__project", "agent__user").filter(pk=message.run_id)
    run = runs.select_for_update(of=("self", "task"), no_key=True).first()
    if run is None or run.agent != agent_of(actor):
        raise NotPermitted("Only the holder of the run answers it.")
    state = DirectiveState(outcome)
    if state == DirectiveState.DECLINED and message.kind == MessageKind.STOP:
        raise Invalid({"outcome": "A stop cannot be declined: end the run with release, fail or complete."})
    now = clock.now()
    if run.ended_at is None and instructions.settle(run, message.pk, state, at=now, actor=actor, note=note):
        return _load(message)
    message = _load(message)
    if message.state == state:
        return message
    if run.ended_at is not None:
        raise LeaseLost(run.task.ref, run.status)
    raise _ended(message)


@verb(catalogue.WITHDRAW_MESSAGE)
def withdraw_message(*, actor: "User", message: Message) -> Message:
    """Its sender takes an instruction or stop back that is not delivered yet. Repeating it changes nothing.

    Raises ``NotPermitted`` for anybody else, ``DirectiveEnded`` once it was delivered or has ended.
    """
    message = _load(message)
    if message.author_id != actor.pk:
        raise NotPermitted("Only its sender may withdraw it.")
    if message.run_id is not None:
        lock_runs(Run.objects.filter(pk=message.run_id))
    if message.task_id is not None:
        lock_tasks([message.task_id])
    now = clock.now()
    queued = Message.objects.filter(pk=message.pk, state=DirectiveState.QUEUED)
    if queued.update(state=DirectiveState.WITHDRAWN, ended_at=now):
        message = _load(message)
        record(Instructions.event_of(kinds.MESSAGE_WITHDRAWN, message, message.run, now, actor))
        return message
    message = _load(message)
    if message.state != DirectiveState.WITHDRAWN:
        raise _ended(message)
    return message


def _load(message: Message) -> Message:
    """The message as it is now. Raises ``NotFound`` for a comment: nobody answers or withdraws it."""
    rows = Message.objects.to_show().select_related("run__task__project", "run__agent")
    current = rows.filter(pk=message.pk, kind__in=DIRECTIVES).first()
    if current is None:
        raise NotFound(f"There is no instruction or stop with the id {message.pk}.")
    return current


def _ended(message: Message) -> DirectiveEnded:
    state = message.state
    advice = "Send another one." if state in PENDING else ""
    return DirectiveEnded(f"It is {DirectiveState(state).label.lower()} already.", advice, state=state)
