"""A notification in words: one plain sentence, and what somebody wrote with it. Whoever shows them escapes them."""

from typing import Any

from messaging.models import Notification, NotificationKind
from tasks.models import AssignmentSource

ENGINE = "The engine"
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
    """What happened, in a sentence that names the task; reads the event."""
    event = notification.event
    data: dict[str, Any] = event.data
    who, ref = event.actor_name or ENGINE, event.task_ref
    match notification.kind:
        case NotificationKind.ASSIGNED if data.get("source") == AssignmentSource.AUTO:
            return f"{ref} is offered to you."
        case NotificationKind.ASSIGNED:
            return f"{who} assigned {ref} to you."
        case NotificationKind.UNASSIGNED if event.kind == "task.status_changed":
            return f"{who} cancelled {ref}, which was yours."
        case NotificationKind.UNASSIGNED if event.kind == "task.offer_lapsed":
            return f"{ref} is yours no more: you did not begin it in time."
        case NotificationKind.UNASSIGNED:
            return f"{who} took {ref} from you."
        case NotificationKind.DECLINED:
            return f"{event.agent_slug or who} declined {ref}."
        case NotificationKind.NOBODY_FOUND:
            return f"Nobody can be given {ref}."
        case NotificationKind.COMPLETED if data.get("verb") == "approve":
            return f"{who} approved {ref}; it is completed."
        case NotificationKind.COMPLETED:
            return f"{event.agent_slug or who} completed {ref}."
        case NotificationKind.FAILED:
            return f"{ref} failed for good, last with {event.agent_slug}." if event.agent_slug else f"{ref} failed."
        case NotificationKind.STALLED:
            return f"{event.agent_slug} works on {ref} without advancing."
        case NotificationKind.DEPENDENCY_FAILED:
            return f"{ref} stays blocked: {data.get('dependency', 'a dependency')} {data.get('status', 'failed')}."
        case NotificationKind.REVIEW_ASKED:
            return f"{event.agent_slug or who} brought a result of {ref}; it waits for a review."
        case NotificationKind.CHANGES_REQUESTED:
            return f"{who} asks for changes to {ref}."
        case NotificationKind.DUE_SOON:
            return f"{ref} is due soon."
        case NotificationKind.OVERDUE:
            return f"{ref} is overdue."
    return f"{notification.get_kind_display()}: {ref}"


def note(notification: Notification) -> str:
    """What the one who acted wrote with it; untrusted, empty where nothing was written."""
    text = notification.event.data.get("note", "")
    return text if isinstance(text, str) else ""
