"""Webhooks: addresses outside to which a project's events are sent, their keys, and what became of each event."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models import Event, Project
from tasks.querysets import OfProjectQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_URL, LONGEST_DESCRIPTION = 2_000, 500


class Format(models.TextChoices):
    PLAIN = "plain", "Plain"
    CLOUDEVENTS = "cloudevents", "CloudEvents"


class Disabled(models.TextChoices):
    """Why a webhook is disabled."""

    NO = "", "Enabled"
    MANAGER = "manager", "By a manager"
    GONE = "gone", "It answered 410 Gone"
    EXHAUSTED = "exhausted", "It failed at every attempt"


class Webhook(models.Model):
    """An address outside to which the events of a project are sent; managers of the project register it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField("URL", max_length=LONGEST_URL)
    kinds = models.JSONField("kinds of events", default=list, blank=True, help_text="Empty: all.")
    format = models.CharField(max_length=20, choices=Format, default=Format.PLAIN)
    description = models.CharField(max_length=LONGEST_DESCRIPTION, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_because = models.CharField(max_length=20, choices=Disabled, blank=True)
    # Since when nothing was accepted; null after each success.
    failing_since = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True, help_text="When it last accepted something.")
    rests_until = models.DateTimeField(null=True, blank=True, help_text="It asked to be left alone until then.")

    objects = OfProjectQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="webhook_disabled_for_a_reason",
                condition=Q(disabled_at=None, disabled_because="")
                | (Q(disabled_at__isnull=False) & ~Q(disabled_because="")),
            ),
            models.CheckConstraint(name="webhook_format_known", condition=Q(format__in=Format.values)),
        ]

    def __str__(self) -> str:
        return f"Webhook {self.pk}"

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None


class WebhookKey(models.Model):
    """A key that signs what is sent to a webhook. Several are in use while one replaces another.

    The secret is stored encrypted (``messaging.webhooks.keys``): it has to be used, so a digest would not do.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="keys")
    sealed = models.TextField()
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Signs until then; empty: until it is replaced.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Key {self.pk} of webhook {self.webhook_id}"


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, user: "User") -> Self:
        return self.filter(webhook__in=Webhook.objects.visible_to(user).order_by().values("pk"))

    def pending(self) -> Self:
        return self.filter(state=DeliveryState.PENDING)

    def due(self, now: datetime) -> Self:
        """To be sent now, and not being sent by an engine that is alive."""
        free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
        return self.pending().filter(free, due_at__lte=now)


class WebhookDelivery(models.Model):
    """One event for one webhook: sent until it is accepted or given up. Without an event it is a test.

    ``message_id`` is what the receiver tells repetitions by; it is the same at each attempt and when redelivered.
    ``attempts`` is the log: a list of ``{"at", "status", "error", "milliseconds", "answer"}``, the newest last.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=60)
    message_id = models.CharField(max_length=60, unique=True)
    state = models.CharField(max_length=20, choices=DeliveryState, default=DeliveryState.PENDING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="When it is sent next.")
    leased_until = models.DateTimeField(null=True, help_text="An engine is sending it, and has until then.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Failed attempts since it was last made due by hand.")
    first_tried_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    attempts: Any = models.JSONField(default=list)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once"),
            models.CheckConstraint(name="delivery_state_known", condition=Q(state__in=DeliveryState.values)),
            models.CheckConstraint(
                name="delivery_ends_once_over",
                condition=Q(state="pending", ended_at=None) | (~Q(state="pending") & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["webhook", "due_at"], name="delivery_due", condition=Q(state="pending")),
            models.Index(fields=["ended_at"], name="delivery_ended", condition=Q(ended_at__isnull=False)),
            # Events are deleted with their project, which looks for these.
            models.Index(fields=["event"], name="delivery_of_event"),
        ]

    def __str__(self) -> str:
        return self.message_id
