"""How far everybody has read in each of their conversations."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models import Project, Task


class ReadMark(models.Model):
    """Up to which message a user has read a conversation: a task's thread, a project's channel, or what they and
    ``partner`` wrote to each other. It only moves forward.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="read_marks")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, null=True, related_name="+")
    channel = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="+")
    partner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    up_to = models.BigIntegerField(help_text="The id of the last message read; it may be gone.")
    at = models.DateTimeField(help_text="When it was last moved.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="read_mark_of_one_conversation",
                condition=Q(task__isnull=False, channel__isnull=True, partner__isnull=True)
                | Q(task__isnull=True, channel__isnull=False, partner__isnull=True)
                | Q(task__isnull=True, channel__isnull=True, partner__isnull=False),
            ),
            models.UniqueConstraint(fields=["user", "task"], name="read_mark_once_per_task"),
            models.UniqueConstraint(fields=["user", "channel"], name="read_mark_once_per_channel"),
            models.UniqueConstraint(fields=["user", "partner"], name="read_mark_once_per_partner"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} up to {self.up_to}"
