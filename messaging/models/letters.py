"""Letters: mails that another app wrote whole, with a file or without one."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from messaging.models.outgoing import MailState, Outgoing


class Letter(Outgoing):
    """A mail to one user that is no notification, such as a report that they asked for by a schedule.

    Written in the transaction of what it tells; ``key`` names that, so that it is told once. The file is kept until
    the letter has ended.
    """

    emptied: ClassVar[dict[str, Any]] = {"content": None}

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="letters")
    key = models.CharField(max_length=100, unique=True)
    subject = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    path = models.CharField(max_length=200, blank=True, help_text="Our page that it leads to.")
    stop_path = models.CharField(max_length=300, blank=True, help_text="Our page that ends such letters.")
    projects: models.JSONField = models.JSONField(
        default=list, help_text="Whose figures are in the file, by id; sent only while the recipient sees them all."
    )
    file_name = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    content = models.BinaryField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(name="letter_state_known", condition=Q(state__in=MailState.values))]
        indexes = [
            models.Index(fields=["due_at"], name="letter_waiting", condition=Q(state="waiting")),
            models.Index(fields=["claim"], name="letter_claimed", condition=Q(claim__isnull=False)),
            models.Index(fields=["ended_at"], name="letter_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.key} for {self.recipient_id}, {self.state}"
