"""What happens to a message after it was written: its author corrects it, and others react to it."""

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from taskproject.errors import shortened
from tasks import clock
from tasks.actions.messages.mentioning import set_mentions
from tasks.actions.messages.posting import BODY_IN_EVENT
from tasks.actions.transactions import in_transaction
from tasks.emoji import is_emoji
from tasks.errors import Invalid, NotFound, NotPermitted, TooLateToEdit
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import DirectiveState, Message, MessageEdit, MessageKind, Reaction
from tasks.models.message import EDITABLE
from tasks.permissions import require_in_project
from tasks.verbs.catalogue import POST_MESSAGE

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: How often its author may edit a message.
MOST_EDITS = 20
#: Different emojis under one message.
MOST_EMOJIS = 20
#: What the holder of a run may have read already is not rewritten; it is withdrawn, or followed by another.
_REWRITABLE = Q(kind=MessageKind.COMMENT) | Q(state=DirectiveState.QUEUED)


@in_transaction
def edit_message(*, actor: "User", message: Message, body: str) -> Message:
    """Replace what ``message`` says; what it said before stays readable. The same text again changes nothing.

    Whom it mentions for the first time is told. Raises ``NotPermitted`` unless ``actor`` wrote it,
    ``TooLateToEdit`` after ``EDITABLE``, once an instruction was delivered, or after ``MOST_EDITS``; ``Invalid``.
    """
    if problems := POST_MESSAGE.problems({"body": body}):
        raise Invalid(dict(problems))
    message = _locked(message)
    if message.author_id != actor.pk:
        raise NotPermitted("Only its author may edit a message.")
    _require_may_write(actor, message)
    if message.body == body:
        return message
    now = clock.now()
    if now - message.at > EDITABLE:
        raise TooLateToEdit("A message can be edited for 5 minutes.", "Write another one.")
    before = (*message.edits.values_list("body", flat=True), message.body)
    if len(before) > MOST_EDITS:
        raise TooLateToEdit(f"A message can be edited {MOST_EDITS} times.", "Write another one.")
    if not Message.objects.filter(_REWRITABLE, pk=message.pk).update(body=body, edited_at=now):
        raise TooLateToEdit("It has been delivered.", "Write another one.")
    MessageEdit.objects.create(message=message, body=message.body, at=now)
    message.body, message.edited_at = body, now
    new_names = set_mentions(message, by=actor, before=before)
    mentions: dict[str, Any] = {"mentions": new_names} if new_names else {}
    record(_event_of(kinds.MESSAGE_EDITED, message, actor, now, body=shortened(body, BODY_IN_EVENT), **mentions))
    return message


@in_transaction
def react(*, actor: "User", message: Message, emoji: str) -> Message:
    """Put ``emoji`` under ``message``, once. It starts nothing, and gives nothing authority.

    Raises ``NotPermitted``; ``Invalid`` for what is not one emoji, or one more than ``MOST_EMOJIS``.
    """
    if not isinstance(emoji, str) or not is_emoji(emoji):
        raise Invalid({"emoji": "Must be one emoji."})
    message = _locked(message)
    _require_may_write(actor, message)
    here = Reaction.objects.filter(message=message).order_by()
    if here.filter(user=actor, emoji=emoji).exists():
        return message
    others = here.exclude(emoji=emoji).values("emoji").distinct().count()
    if others >= MOST_EMOJIS:
        raise Invalid({"emoji": f"At most {MOST_EMOJIS} different ones; choose one that is there."})
    now = clock.now()
    Reaction.objects.create(message=message, user=actor, emoji=emoji, at=now)
    record(_event_of(kinds.MESSAGE_REACTED, message, actor, now, emoji=emoji))
    return message


@in_transaction
def take_back_reaction(*, actor: "User", message: Message, emoji: str) -> Message:
    """Take the ``emoji`` of ``actor`` away from ``message``; if it is not there, nothing changes.

    Raises ``NotPermitted``.
    """
    message = _locked(message)
    _require_may_write(actor, message)
    taken, _ = Reaction.objects.filter(message=message, user=actor, emoji=emoji).delete()
    if taken:
        record(_event_of(kinds.MESSAGE_REACTED, message, actor, clock.now(), emoji=emoji, removed=True))
    return message


def _locked(message: Message) -> Message:
    rows = Message.objects.select_for_update(of=("self",), no_key=True).to_show()
    locked = rows.filter(pk=message.pk).first()
    if locked is None:
        raise NotFound("This message no longer exists.")
    return locked


def _require_may_write(actor: "User", message: Message) -> None:
    """A direct message is between two, whatever their roles; elsewhere it takes the right to comment."""
    if message.to_id is None:
        require_in_project(actor, "comment", message.project)
    elif actor.pk not in (message.author_id, message.to_id):
        raise NotFound("There is no such message.")


def _event_of(kind: Any, message: Message, actor: "User", at: Any, **data: Any) -> Any:
    """The event of a change to ``message``; of a direct one for the two alone."""
    recipient = None
    if message.task is not None:
        message.task.project = message.project
    if message.to_id is not None:
        recipient = message.to if message.author_id == actor.pk else message.author or actor
    return event(
        kind,
        at=at,
        actor=actor,
        project=message.project,
        task=message.task,
        recipient=recipient,
        message=message.pk,
        **data,
    )
