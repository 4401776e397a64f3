"""What messaging stores: each follower's position in the stream, notifications, and muted kinds."""

from django.conf import settings
from django.db import models

from tasks.models import Event, Project, Task
from tasks.querysets import OfProjectQuerySet


class FollowerCursor(models.Model):
    """How far a follower with effects has read the stream; moved in the transaction of its effect."""

    name = models.CharField(max_length=60, unique=True)
    event_id = models.BigIntegerField()
    moved_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class NotificationKind(models.TextChoices):
    ASSIGNED = "assigned", "Assigned to me"
    UNASSIGNED = "unassigned", "Taken from me"
    DECLINED = "declined", "Declined"
    NOBODY_FOUND = "nobody_found", "Nobody found"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    STALLED = "stalled", "Stalled"
    DEPENDENCY_FAILED = "dependency_failed", "Dependency failed"
    REVIEW_ASKED = "review_asked", "Review requested"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    DUE_SOON = "due_soon", "Due soon"
    OVERDUE = "overdue", "Overdue"


class NotificationQuerySet(OfProjectQuerySet):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at__isnull=True)

    def with_event_and_task(self) -> "NotificationQuerySet":
        """With event and task, without the task's long texts."""
        long = ("task__description", "task__result", "task__summary", "task__criteria")
        return self.select_related("event", "task").defer(*long)


class Notification(models.Model):
    """Tells a user, person or agent, that an event concerns them; made by rules, at most once per event and kind."""

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications", db_index=False
    )
    kind = models.CharField(max_length=30, choices=NotificationKind)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="notifications", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    # Outlives its task, like the event.
    task = models.ForeignKey(
        Task, on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+", db_index=False
    )
    at = models.DateTimeField(help_text="When it happened.")
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "recipient", "kind"], name="notification_once"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-id"], name="notification_of_recipient"),
            models.Index(fields=["recipient", "id"], name="notification_unread", condition=models.Q(read_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.event_id} for {self.recipient_id}"


class MutedKind(models.Model):
    """A kind of notification that a user does not want."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="muted_kinds")
    kind = models.CharField(max_length=30, choices=NotificationKind)

    class Meta:
        ordering = ["kind"]
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="muted_kind_once")]

    def __str__(self) -> str:
        return f"{self.user_id} without {self.kind}"
