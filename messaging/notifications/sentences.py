"""A notification in words: one plain sentence, and what somebody wrote with it. The caller escapes them."""

from messaging.models import Notification, NotificationKind
from tasks.events import kinds

#: An icon of the pages for each kind.
ICONS = {
    NotificationKind.ASSIGNED: "person_add",
    NotificationKind.UNASSIGNED: "back",
    NotificationKind.DECLINED: "back",
    NotificationKind.NOBODY_FOUND: "alert",
    NotificationKind.COMPLETED: "completed",
    NotificationKind.FAILED: "failed",
    NotificationKind.STALLED: "stalled",
    NotificationKind.DEPENDENCY_FAILED: "blocked",
    NotificationKind.REVIEW_ASKED: "in_review",
    NotificationKind.CHANGES_REQUESTED: "edit",
    NotificationKind.DUE_SOON: "due",
    NotificationKind.OVERDUE: "overdue",
}


def sentence(notification: Notification) -> str:
    """What happened, in a sentence that names the task, from the catalogue; reads the event."""
    event = notification.event
    kind = kinds.CATALOGUE.get(event.kind)
    words = kind.notice_of(event, notification.kind) if kind is not None else ""
    return words or f"{notification.get_kind_display()}: {event.task_ref}"


def note(notification: Notification) -> str:
    """What the actor wrote with it; untrusted, empty if nothing was written."""
    text = notification.event.data.get("note", "")
    return text if isinstance(text, str) else ""
