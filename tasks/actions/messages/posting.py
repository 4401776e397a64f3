"""Writing: in a task's thread, and what all messages share."""

from typing import TYPE_CHECKING, Any

from taskproject.errors import shortened
from taskproject.prepared.together import LostRace
from tasks import clock
from tasks.actions.directives import queue
from tasks.actions.funnel import active_run, load_task
from tasks.actions.locking import lock_tasks
from tasks.actions.messages.mentioning import set_mentions
from tasks.actions.transactions import verb
from tasks.errors import Invalid, NoActiveRun, NotPermitted, TooManyDirectives
from tasks.events import kinds
from tasks.events.recording import event, name_of, record
from tasks.models import DirectiveState, Message, MessageKind, Project, Task
from tasks.models.message import PENDING
from tasks.permissions import may_instruct, require
from tasks.transitions import TERMINAL, Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tasks.models import Event

#: How much of a message its event includes; the message has all of it.
BODY_IN_EVENT = 500
#: How many instructions of a task may wait for an answer: each reply to its holder brings all of them.
MOST_PENDING = 50


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
def post_message(
    *,
    actor: "User",
    task: Task,
    body: str,
    kind: str = MessageKind.COMMENT.value,
    in_reply_to: int | None = None,
    keep: bool = False,
) -> Message:
    """Write in the thread of ``task``; ``in_reply_to`` is the id of a message there.

    An instruction or stop (``kind``) is for the holder of the active run; ``keep`` an instruction for the next run, if
    this one does not acknowledge it or there is none.
    Raises ``NotPermitted``, ``Invalid``, ``NoActiveRun``, ``TooManyDirectives``.
    """
    said = MessageKind(kind)
    if keep and said != MessageKind.INSTRUCTION:
        raise Invalid({"keep": "Only an instruction can wait for the next run."})
    task = load_task(task)
    directed: dict[str, Any] = {}
    if said == MessageKind.COMMENT:
        require(actor, "comment", task)
    else:
        if not may_instruct(actor, task):
            raise NotPermitted("Only people who may assign {} give instructions.", "Write a comment.", about=task.ref)
        run = active_run(task, lock=True)
        if run is None:
            task = _task_of_next_run(task, said, keep)
        else:
            lock_tasks([task.pk])
        _require_room(task)
        directed = {"state": DirectiveState.QUEUED, "run": run, "keep": keep}
    message, posted = write(
        actor=actor,
        project=task.project,
        task=task,
        body=body,
        in_reply_to=answered_in(Message.objects.filter(task=task), in_reply_to),
        kind=said,
        **directed,
    )
    record(posted)
    if message.run is not None:
        queue.added(message.run)
    return message


def _task_of_next_run(task: Task, kind: MessageKind, keep: bool) -> Task:
    """``task``, locked and marked as having something for its next run. Raises ``NoActiveRun`` where there is nothing
    to wait for.
    """
    if not keep:
        advice = "Write a comment, or keep it for the next run." if kind == MessageKind.INSTRUCTION else ""
        what = "a stop" if kind == MessageKind.STOP else "an instruction"
        raise NoActiveRun(f"Nobody is working on {{}}, and {what} starts no run.", advice, about=task.ref)
    task = load_task(task, lock=True)
    if task.status == Status.IN_PROGRESS:
        raise LostRace
    if task.status in TERMINAL:
        raise NoActiveRun(
            f"{{}} is {Status(task.status).label.lower()}: there is no next run.", "Reopen it first.", about=task.ref
        )
    Task.objects.filter(pk=task.pk).update(has_kept_directives=True)
    return task


def _require_room(task: Task) -> None:
    """Raise ``TooManyDirectives`` if more would make a reply too large; its run or the task itself is locked."""
    if Message.objects.filter(task=task, state__in=PENDING).count() >= MOST_PENDING:
        raise TooManyDirectives(
            f"{MOST_PENDING} instructions for {{}} are not acknowledged yet.", "Withdraw some, or wait.", about=task.ref
        )


def answered_in(conversation: Any, pk: int | None) -> Message | None:
    """The message with this id in ``conversation``, a queryset; None without an id. Raises ``Invalid``."""
    if pk is None:
        return None
    message: Message | None = conversation.filter(pk=pk).first()
    if message is None:
        raise Invalid({"in_reply_to": f"There is no message {pk} in this conversation."})
    return message
