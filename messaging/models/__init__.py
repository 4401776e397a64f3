"""What messaging stores."""

from messaging.models.delivery import Delivery, Email, KindChoice, Mail
from messaging.models.following import FollowerCursor
from messaging.models.inbox import PutAside
from messaging.models.letters import Letter
from messaging.models.notifications import (
    MOST_REFS,
    Grouped,
    Notification,
    NotificationKind,
    NotificationQuerySet,
)
from messaging.models.outgoing import MailState
from messaging.models.read_marks import ReadMark
from messaging.models.seen import Seen
from messaging.models.watching import Watch
from messaging.models.webhooks import DeliveryState, Disabled, Format, Webhook, WebhookDelivery, WebhookKey

__all__ = [
    "MOST_REFS",
    "Delivery",
    "DeliveryState",
    "Disabled",
    "Email",
    "FollowerCursor",
    "Format",
    "Grouped",
    "KindChoice",
    "Letter",
    "Mail",
    "MailState",
    "Notification",
    "NotificationKind",
    "NotificationQuerySet",
    "PutAside",
    "ReadMark",
    "Seen",
    "Watch",
    "Webhook",
    "WebhookDelivery",
    "WebhookKey",
]
