"""What messaging stores."""

from messaging.models.delivery import Delivery, Email, KindChoice, Mail, MailState
from messaging.models.following import FollowerCursor
from messaging.models.notifications import (
    MOST_REFS,
    Grouped,
    Notification,
    NotificationKind,
    NotificationQuerySet,
)
from messaging.models.read_marks import ReadMark
from messaging.models.watching import Watch

__all__ = [
    "MOST_REFS",
    "Delivery",
    "Email",
    "FollowerCursor",
    "Grouped",
    "KindChoice",
    "Mail",
    "MailState",
    "Notification",
    "NotificationKind",
    "NotificationQuerySet",
    "ReadMark",
    "Watch",
]
