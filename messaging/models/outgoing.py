"""What every row of the outbox has: for whom it is, when it is due, and how it went."""

from typing import Any, ClassVar

from django.db import models


class MailState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    DROPPED = "dropped", "Dropped"
    FAILED = "failed", "Failed"


class Outgoing(models.Model):
    """A row of the outbox, with a ``recipient``. ``claim`` marks what one sender has taken, until ``claimed_until``."""

    recipient: Any
    #: What its columns become when it ends, beside those of every row.
    emptied: ClassVar[dict[str, Any]] = {}

    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="Not sent before.")
    state = models.CharField(max_length=10, choices=MailState, default=MailState.WAITING)
    claim = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was dropped, or not sent yet.")

    class Meta:
        abstract = True
