"""Notifications: what somebody is told of what happened."""

from collections.abc import Collection, Sequence

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q

from tasks.models import Event, Project, Task
from tasks.querysets import OfProjectQuerySet

#: How many refs of a burst are listed with it.
MOST_REFS = 100
LONG_TEXTS = ("description", "result", "summary", "criteria")


class NotificationKind(models.TextChoices):
    """The most specific first: of several that an event means for one person, the first is made."""

    QUESTION_FOR_ME = "question_for_me", "Question for me"
    QUESTION_ANSWERED = "question_answered", "Question answered"
    UNDELIVERED = "undelivered", "Instruction not followed"
    MENTION = "mention", "Mentioned"
    DIRECT_MESSAGE = "direct_message", "Message to me"
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
    WEBHOOK_DISABLED = "webhook_disabled", "Webhook disabled"
    MESSAGE = "message", "Message in a watched task"
    WATCHED_CHANGED = "watched_changed", "Watched task changed"


class Grouped(models.TextChoices):
    """What the notifications behind one row have in common; see ``notifications.grouping``."""

    NOT = "", "By itself"
    TASK = "task", "About one task"
    KIND = "kind", "Of one kind"


class NotificationQuerySet(OfProjectQuerySet):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at__isnull=True)

    def heads(self) -> "NotificationQuerySet":
        """Those that are shown: the others of a group are behind the first of them."""
        return self.filter(head__isnull=True)

    def of_kinds(self, kinds: Collection[str]) -> "NotificationQuerySet":
        """Those that are of one of these kinds, or stand for one that is."""
        behind = Notification.objects.filter(head=OuterRef("pk"), kind__in=kinds)
        return self.filter(Q(kind__in=kinds) | Exists(behind))

    def in_bundle(self, head: int) -> "NotificationQuerySet":
        """The notification with this id and all that are behind it."""
        return self.filter(Q(pk=head) | Q(head=head))

    def with_event_and_task(self) -> "NotificationQuerySet":
        """With their events and task, without the task's long texts."""
        long = [f"{task}__{text}" for task in ("task", "last_event__task") for text in LONG_TEXTS]
        return self.select_related("event", "task", "last_event__task").defer(*long)


class Notification(models.Model):
    """Tells a user, person or agent, that an event concerns them; made by rules, at most once per event.

    Of a group the first is shown for all: it is the ``head`` of the others, counts them and itself in ``bundled``, and
    says what happened last. They are read together.
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
    grouped = models.CharField(max_length=4, choices=Grouped, blank=True, default=Grouped.NOT)
    # One of a group is also the ``event`` of another row of it; a constraint of its own would need an index of its own.
    last_event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="+",
        db_index=False,
        help_text="Of a group, what happened last.",
    )
    last_kind = models.CharField(max_length=30, choices=NotificationKind)

    #: The refs of all tasks of a group, and who caused it, where it is shown as one: set by ``reading.with_refs``.
    refs: Sequence[str] = ()
    actors: Sequence[str] = ()

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "recipient"], name="notification_once_per_event"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-last_event"], name="notification_of_recipient", condition=Q(head=None)),
            models.Index(
                fields=["recipient", "id"], name="notification_unread", condition=Q(read_at=None) & Q(head=None)
            ),
            # For groups: some agents never read, and what is new is compared with the last hour alone.
            models.Index(
                fields=["recipient", "at"], name="notification_unread_at", condition=Q(read_at=None) & Q(head=None)
            ),
            models.Index(fields=["head"], name="notification_of_bundle", condition=Q(head__isnull=False)),
            # For those that are past their retention.
            models.Index(
                fields=["read_at"], name="notification_read_at", condition=Q(read_at__isnull=False) & Q(head=None)
            ),
            models.Index(fields=["at"], name="notification_never_read", condition=Q(read_at=None) & Q(head=None)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.event_id} for {self.recipient_id}"

    @property
    def shown_event(self) -> Event:
        """The event that it tells of: of a group shown as one, the last."""
        return self.last_event if self.refs else self.event

    @property
    def shown_kind(self) -> NotificationKind:
        return NotificationKind(self.last_kind if self.refs else self.kind)

    @property
    def shown_task(self) -> Task | None:
        return self.shown_event.task if self.refs else self.task

    @property
    def count(self) -> int:
        """For how many it is shown."""
        return self.bundled if self.refs else 1

    @property
    def task_refs(self) -> Sequence[str]:
        """The refs of the first of its tasks; reads the event."""
        return self.refs[:MOST_REFS] or [self.event.task_ref]
