"""A notification in words: one plain sentence, and what somebody wrote with it. The caller escapes them."""

from messaging.models import Notification, NotificationKind
from tasks.events import kinds
from tasks.events.declaration import ENGINE

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
    NotificationKind.INVITED: "person_add",
}


#: What a burst of each kind says; ``{what}`` is "19 tasks in OPS".
_BURSTS = {
    NotificationKind.ASSIGNED: "{who} assigned {what} to you.",
    NotificationKind.UNASSIGNED: "{who} took {what} from you.",
    NotificationKind.DECLINED: "{who} declined {what}.",
    NotificationKind.NOBODY_FOUND: "Nobody can be given {what}.",
    NotificationKind.COMPLETED: "{who} completed or accepted {what}.",
    NotificationKind.FAILED: "{what} failed for good.",
    NotificationKind.STALLED: "{what} make no progress.",
    NotificationKind.DEPENDENCY_FAILED: "{what} stay blocked: what they depend on failed or was cancelled.",
    NotificationKind.REVIEW_ASKED: "{what} wait for a review.",
    NotificationKind.CHANGES_REQUESTED: "{who} requested changes in {what}.",
    NotificationKind.DUE_SOON: "{what} are due soon.",
    NotificationKind.OVERDUE: "{what} are overdue.",
}
_OFFERED = "{what} are offered to you."


def sentence(notification: Notification) -> str:
    """What happened, in a sentence that names the task, from the catalogue, or of a burst how many; reads the event."""
    if len(notification.refs) > 1:
        return _of_burst(notification)
    event = notification.event
    kind = kinds.CATALOGUE.get(event.kind)
    words = kind.notice_of(event, notification.kind) if kind is not None else ""
    return words or f"{notification.get_kind_display()}: {event.task_ref}"


def _of_burst(notification: Notification) -> str:
    event, kind = notification.event, NotificationKind(notification.kind)
    words = _BURSTS.get(kind, f"{kind.label}: {{what}}.")
    if kind == NotificationKind.ASSIGNED and not event.actor_name:
        words = _OFFERED
    return words.format(who=event.actor_name or ENGINE, what=f"{len(notification.refs)} tasks in {event.project_key}")


def note(notification: Notification) -> str:
    """What the actor wrote with it; untrusted, empty if nothing was written."""
    text = notification.event.data.get("note", "")
    return text if isinstance(text, str) else ""
