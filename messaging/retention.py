"""What messaging keeps for a time only; see ``taskproject.pruning``."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from messaging.models import Letter, Mail, Notification, PutAside, WebhookDelivery, WebhookKey
from taskproject.pruning import Retention, delete_rows
from tasks import clock


def _before(days: int) -> datetime:
    return clock.now() - timedelta(days=days)


def _read_notifications() -> QuerySet[Notification]:
    before = _before(settings.NOTIFICATION_RETENTION_DAYS)
    return Notification.objects.heads().filter(read_at__lt=before).order_by("read_at")


def _unread_notifications() -> QuerySet[Notification]:
    before = _before(settings.UNREAD_NOTIFICATION_RETENTION_DAYS)
    return Notification.objects.unread().heads().filter(at__lt=before).order_by("at")


def _delete_groups(heads: QuerySet[Any]) -> int:
    """Heads with all that is behind them, which nobody sees without them; returns how many heads."""
    ids = list(heads.values_list("pk", flat=True))
    delete_rows(Notification.objects.filter(head__in=ids))
    return delete_rows(heads)


def _deliveries() -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(ended_at__lt=_before(settings.WEBHOOK_RETENTION_DAYS)).order_by("ended_at")


def _mails() -> QuerySet[Mail]:
    return Mail.objects.filter(ended_at__lt=_before(settings.MAIL_RETENTION_DAYS)).order_by("ended_at")


def _letters() -> QuerySet[Letter]:
    return Letter.objects.filter(ended_at__lt=_before(settings.MAIL_RETENTION_DAYS)).order_by("ended_at")


RETENTIONS: Final = (
    Retention(
        "read notifications",
        "notifications that were read: NOTIFICATION_RETENTION_DAYS",
        _read_notifications,
        _delete_groups,
    ),
    Retention(
        "unread notifications",
        "notifications that nobody reads: UNREAD_NOTIFICATION_RETENTION_DAYS",
        _unread_notifications,
        _delete_groups,
    ),
    Retention("mails", "notices by mail that were sent or given up: MAIL_RETENTION_DAYS", _mails),
    Retention("letters", "reports by mail that were sent or given up: MAIL_RETENTION_DAYS", _letters),
    Retention("deliveries", "deliveries of webhooks that are over: WEBHOOK_RETENTION_DAYS", _deliveries),
    Retention(
        "webhook keys",
        "keys of webhooks: until they sign no more",
        lambda: WebhookKey.objects.filter(ends_at__lte=clock.now()).order_by("pk"),
    ),
    Retention(
        "snoozes",
        "that an item of the inbox was snoozed: until it is shown again",
        lambda: PutAside.objects.filter(until__lte=clock.now()).order_by("until"),
    ),
)
