"""What messaging stores."""

from messaging.models.following import FollowerCursor
from messaging.models.notifications import (
    MOST_REFS,
    MutedKind,
    Notification,
    NotificationKind,
    NotificationQuerySet,
)

__all__ = [
    "MOST_REFS",
    "FollowerCursor",
    "MutedKind",
    "Notification",
    "NotificationKind",
    "NotificationQuerySet",
]
