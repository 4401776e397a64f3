"""Notifications, and the kinds that their recipients do not want."""

from collections.abc import Sequence

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models import Event, Project, Task
from tasks.querysets import OfProjectQuerySet

#: How many refs of a burst are listed with it.
MOST_REFS = 100


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
    INVITED = "invited", "Invited to a project"


class NotificationQuerySet(OfProjectQuerySet):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at__isnull=True)

    def heads(self) -> "NotificationQuerySet":
        """Those that are shown: the ones of a burst are behind the first of them."""
        return self.filter(head__isnull=True)

    def in_bundle(self, head: int) -> "NotificationQuerySet":
        """The notification with this id and all that are behind it."""
        return self.filter(Q(pk=head) | Q(head=head))

    def with_event_and_task(self) -> "NotificationQuerySet":
        """With event and task, without the task's long texts."""
        long = ("task__description", "task__result", "task__summary", "task__criteria")
        return self.select_related("event", "task").defer(*long)


class Notification(models.Model):
    """Tells a user, person or agent, that an event concerns them; made by rules, at most once per event and kind.

    Of a burst the first is shown for all: it is the ``head`` of the others and counts them and itself in ``bundled``.
    They are read together.
    """

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
    head = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="+", db_index=False)
    bundled = models.PositiveIntegerField(default=1)

    #: The refs of all tasks of a burst, where it is shown as one: set by ``notifications.reading.with_refs``.
    refs: Sequence[str] = ()

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "recipient", "kind"], name="notification_once"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-id"], name="notification_of_recipient", condition=Q(head=None)),
            models.Index(
                fields=["recipient", "id"], name="notification_unread", condition=Q(read_at=None) & Q(head=None)
            ),
            # For bursts: some agents never read, and what is new is compared with the last minute alone.
            models.Index(
                fields=["recipient", "at"], name="notification_unread_at", condition=Q(read_at=None) & Q(head=None)
            ),
            models.Index(fields=["head"], name="notification_of_bundle", condition=Q(head__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.event_id} for {self.recipient_id}"

    @property
    def count(self) -> int:
        """For how many it is shown."""
        return self.bundled if self.refs else 1

    @property
    def task_refs(self) -> Sequence[str]:
        """The refs of the first of its tasks; reads the event."""
        return self.refs[:MOST_REFS] or [self.event.task_ref]


class MutedKind(models.Model):
    """A kind of notification that a user does not want."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="muted_kinds")
    kind = models.CharField(max_length=30, choices=NotificationKind)

    class Meta:
        ordering = ["kind"]
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="muted_kind_once")]

    def __str__(self) -> str:
        return f"{self.user_id} without {self.kind}"
