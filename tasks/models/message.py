"""Messages: what people and agents say to each other, and what staff tell the holder of a run."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from tasks.models.project import Project
from tasks.models.run import Run
from tasks.models.task import Task
from tasks.querysets import MessageQuerySet


def author_gone(collector: Any, field: Any, messages: Any, using: str) -> None:
    """What happens to the messages of an account that is deleted: others keep reading what they have in common, under
    the name that it had; a direct conversation ends with either of the two.
    """
    models.CASCADE(collector, field, messages.filter(to__isnull=False), using)
    models.SET_NULL(collector, field, messages.filter(to__isnull=True), using)


class MessageKind(models.TextChoices):
    COMMENT = "comment", "Comment"
    INSTRUCTION = "instruction", "Instruction"
    STOP = "stop", "Stop"


#: How long its author may edit a message.
EDITABLE = timedelta(minutes=5)
#: Those that reach the holder of a run as directives.
DIRECTIVES = (MessageKind.INSTRUCTION, MessageKind.STOP)


class DirectiveState(models.TextChoices):
    """The life of an instruction or stop. The last four are final."""

    QUEUED = "queued", "Queued"
    DELIVERED = "delivered", "Delivered"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"
    UNDELIVERED = "undelivered", "Undelivered"


#: Not yet final.
PENDING = (DirectiveState.QUEUED, DirectiveState.DELIVERED)


class Message(models.Model):
    """Something said in a task's thread, in a project's channel (no ``task``, no ``to``), or to one member (``to``).

    A direct message belongs to a project that both are members of, like everything that credentials may be limited to.
    A comment has no state and no authority. An instruction or a stop is for ``run``, the one that was active when it
    was sent. With ``keep``, an instruction waits for the next run (``run`` is empty), and is for that, if there was
    none or it did not acknowledge it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="messages")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, null=True, blank=True, related_name="messages")
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="received_messages"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=author_gone, null=True, blank=True, related_name="sent_messages"
    )
    author_name = models.CharField(
        max_length=150, help_text="Kept from when it was written; of an import, a name only."
    )
    kind = models.CharField(max_length=12, choices=MessageKind, default=MessageKind.COMMENT)
    body = models.TextField(max_length=10_000)
    in_reply_to = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replies")
    at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    external_id = models.CharField(max_length=200, blank=True, help_text="Of an imported comment, at its source.")

    state = models.CharField(max_length=12, choices=DirectiveState, blank=True)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages")
    keep = models.BooleanField(default=False)
    delivered_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True, help_text="When it was acknowledged or declined.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When a directive reached a final state.")
    note = models.TextField(blank=True, max_length=2_000, help_text="What the holder said to it.")

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="message_kind_known", condition=Q(kind__in=MessageKind.values)),
            models.CheckConstraint(
                name="message_state_of_directives",
                condition=Q(kind=MessageKind.COMMENT, state="")
                | (~Q(kind=MessageKind.COMMENT) & Q(state__in=DirectiveState.values, task__isnull=False)),
            ),
            models.CheckConstraint(
                name="message_ended_in_a_final_state",
                condition=Q(state__in=["", *PENDING], ended_at__isnull=True)
                | (Q(state__in=DirectiveState.values) & ~Q(state__in=PENDING) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="message_stop_is_of_one_run", condition=~Q(kind=MessageKind.STOP) | Q(keep=False)
            ),
            models.CheckConstraint(
                name="message_direct_or_in_a_task", condition=Q(task__isnull=True) | Q(to__isnull=True)
            ),
            models.CheckConstraint(name="message_not_to_oneself", condition=Q(to__isnull=True) | ~Q(to=F("author"))),
            models.UniqueConstraint(
                fields=["task", "external_id"], name="message_imported_once", condition=~Q(external_id="")
            ),
        ]
        indexes = [
            models.Index(fields=["task", "id"], name="message_of_task", condition=Q(task__isnull=False)),
            models.Index(
                fields=["project", "id"], name="message_of_channel", condition=Q(task__isnull=True, to__isnull=True)
            ),
            models.Index(fields=["to", "author", "id"], name="message_direct", condition=Q(to__isnull=False)),
            models.Index(fields=["author", "to", "id"], name="message_direct_sent", condition=Q(to__isnull=False)),
            models.Index(fields=["task", "id"], name="message_pending", condition=Q(state__in=PENDING)),
            # For who has written since in a thread or channel, and whose instructions reached nobody.
            models.Index(fields=["author", "task", "id"], name="message_said_in_task", condition=Q(task__isnull=False)),
            models.Index(
                fields=["author", "project", "id"],
                name="message_said_in_channel",
                condition=Q(task__isnull=True, to__isnull=True),
            ),
            models.Index(fields=["author"], name="message_undelivered", condition=Q(state="undelivered")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} by {self.author_name}"


class MessageEdit(models.Model):
    """What a message said before it was edited: the trace."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="edits")
    body = models.TextField()
    at = models.DateTimeField(help_text="When it was replaced.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"message {self.message_id} before {self.at:%Y-%m-%d %H:%M}"


class Mention(models.Model):
    """A member whom a message names by ``@slug``."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mentions")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["message", "user"], name="mention_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in message {self.message_id}"


class Reaction(models.Model):
    """An emoji that somebody put under a message; it starts nothing."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reactions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    emoji = models.CharField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["message", "user", "emoji"], name="reaction_once")]

    def __str__(self) -> str:
        return f"{self.emoji} under message {self.message_id}"
