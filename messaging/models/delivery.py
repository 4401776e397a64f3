"""By which ways somebody wants to be told, and the mails that wait to be sent."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from messaging.models.notifications import NotificationKind
from messaging.models.outgoing import MailState, Outgoing
from tasks.models import Event, Project


class Email(models.TextChoices):
    """Whether a kind comes by e-mail, and when."""

    OFF = "off", "No"
    AT_ONCE = "at_once", "At once"
    DAILY = "daily", "Daily"


class KindChoice(models.Model):
    """How a user wants to be told of a kind of notifications; without a row, as ``choices.DEFAULTS`` says."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="kind_choices")
    kind = models.CharField(max_length=30, choices=NotificationKind)
    page = models.BooleanField(default=True)
    browser = models.BooleanField(default=False)
    email = models.CharField(max_length=10, choices=Email, default=Email.OFF)

    class Meta:
        ordering = ["kind"]
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="kind_choice_once"),
            models.CheckConstraint(name="kind_choice_email_known", condition=Q(email__in=Email.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} about {self.kind}"


class Delivery(models.Model):
    """When a user wants to be told, in the zone in which they read: quiet hours, and the hour of the daily digest."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="delivery")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest_at = models.TimeField()
    urgent_anyway = models.BooleanField(default=False, help_text="Urgent questions come in quiet hours too.")

    class Meta:
        ordering = ["user"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                name="delivery_quiet_hours_whole",
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"times of {self.user_id}"


class Mail(Outgoing):
    """What an e-mail is to tell a user, once: written in the transaction of the follower, sent by ``mail.sending``.

    Its words are made when it is sent, of what the recipient may see then.
    """

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(max_length=30, choices=NotificationKind)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    daily = models.BooleanField(default=False, help_text="Part of the daily digest.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "recipient"], name="mail_once_per_event"),
            models.CheckConstraint(name="mail_state_known", condition=Q(state__in=MailState.values)),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="mail_waiting", condition=Q(state="waiting")),
            models.Index(fields=["claim"], name="mail_claimed", condition=Q(claim__isnull=False)),
            models.Index(fields=["ended_at"], name="mail_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.recipient_id}, {self.state}"
