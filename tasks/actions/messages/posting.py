"""Writing: in a task's thread, and what all messages share."""

from typing import TYPE_CHECKING, Any

from taskproject.errors import shortened
from tasks import clock
from tasks.actions.funnel import load_task, verb
from tasks.actions.messages.mentioning import set_mentions
from tasks.errors import Invalid
from tasks.events import kinds
from tasks.events.recording import event, name_of, record
from tasks.models import Message, MessageKind, Project, Task
from tasks.permissions import require
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tasks.models import Event

#: How much of a message its event includes; the message has all of it.
BODY_IN_EVENT = 500


def write(
    *,
    actor: "User",
    project: Project,
    body: str,
    task: Task | None = None,
    to: "User | None" = None,
    in_reply_to: Message | None = None,
    kind: MessageKind = MessageKind.COMMENT,
    **directed: Any,
) -> tuple[Message, "Event"]:
    """Store a message of ``actor`` and make its event, which the verb records. Part of a running verb, which has
    checked everything.

    In the thread of ``task``, direct ``to`` somebody, or else in the channel of ``project``. ``directed``: the further
    columns of an instruction or stop.
    """
    now = clock.now()
    message = Message.objects.create(
        project=project,
        task=task,
        to=to,
        author=actor,
        author_name=name_of(actor),
        kind=kind,
        body=body,
        in_reply_to=in_reply_to,
        at=now,
        **directed,
    )
    run = directed.get("run")
    more: dict[str, Any] = {"in_reply_to": in_reply_to.pk} if in_reply_to else {}
    if to is not None:
        more["to"] = name_of(to)
    if mentions := set_mentions(message, by=actor):
        more["mentions"] = mentions
    posted = event(
        kinds.MESSAGE_POSTED,
        at=now,
        actor=actor,
        project=project,
        task=task,
        run=run,
        agent=run.agent if run else None,
        recipient=to,
        message=message.pk,
        message_kind=str(kind),
        body=shortened(body, BODY_IN_EVENT),
        **more,
    )
    return message, posted


@verb(catalogue.POST_MESSAGE)
def post_message(*, actor: "User", task: Task, body: str, in_reply_to: int | None = None) -> Message:
    """Write in the thread of ``task``; ``in_reply_to`` is the id of a message there.

    Raises ``NotPermitted``, ``Invalid``.
    """
    task = load_task(task)
    require(actor, "comment", task)
    message, posted = write(
        actor=actor,
        project=task.project,
        task=task,
        body=body,
        in_reply_to=answered_in(Message.objects.filter(task=task), in_reply_to),
    )
    record(posted)
    return message


def answered_in(conversation: Any, pk: int | None) -> Message | None:
    """The message with this id in ``conversation``, a queryset; None without an id. Raises ``Invalid``."""
    if pk is None:
        return None
    message: Message | None = conversation.filter(pk=pk).first()
    if message is None:
        raise Invalid({"in_reply_to": f"There is no message {pk} in this conversation."})
    return message
