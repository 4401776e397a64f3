"""A notification in words: one plain sentence, and what somebody wrote with it. The caller escapes them."""

from messaging.models import Grouped, Notification, NotificationKind
from tasks.events import kinds
from tasks.events.declaration import ENGINE
from tasks.models import Event

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
    NotificationKind.WEBHOOK_DISABLED: "alert",
    NotificationKind.QUESTION_FOR_ME: "waiting",
    NotificationKind.QUESTION_ANSWERED: "check",
    NotificationKind.UNDELIVERED: "alert",
    NotificationKind.MENTION: "person_add",
    NotificationKind.DIRECT_MESSAGE: "edit",
    NotificationKind.MESSAGE: "edit",
    NotificationKind.WATCHED_CHANGED: "in_progress",
}


#: What a row says that stands for several of one kind: of one actor, and of several. ``{what}`` is "19 tasks in OPS".
_PILES = {
    NotificationKind.ASSIGNED: ("{who} assigned {what} to you.", "{what} were assigned to you."),
    NotificationKind.UNASSIGNED: ("{who} took {what} from you.", "{what} were taken from you."),
    NotificationKind.DECLINED: ("{who} declined {what}.", "{what} were declined."),
    NotificationKind.NOBODY_FOUND: ("Nobody can be given {what}.",) * 2,
    NotificationKind.COMPLETED: ("{who} completed or accepted {what}.", "{what} are completed."),
    NotificationKind.FAILED: ("{what} failed for good.",) * 2,
    NotificationKind.STALLED: ("{what} make no progress.",) * 2,
    NotificationKind.DEPENDENCY_FAILED: ("{what} stay blocked: what they depend on failed or was cancelled.",) * 2,
    NotificationKind.REVIEW_ASKED: ("{what} wait for a review.",) * 2,
    NotificationKind.CHANGES_REQUESTED: ("{who} requested changes in {what}.", "Changes were requested in {what}."),
    NotificationKind.DUE_SOON: ("{what} are due soon.",) * 2,
    NotificationKind.OVERDUE: ("{what} are overdue.",) * 2,
    NotificationKind.QUESTION_ANSWERED: (
        "{who} answered questions about {what}.",
        "Questions about {what} were answered.",
    ),
    NotificationKind.DIRECT_MESSAGE: ("{who} wrote you {count} messages.", "{count} messages to you in {project}."),
    NotificationKind.MESSAGE: ("{who} wrote about {what}.", "There are new messages about {what}."),
    NotificationKind.WATCHED_CHANGED: ("{who} moved {what} that you watch.", "{what} that you watch have moved on."),
}
_OFFERED = "{what} are offered to you."


def sentence(notification: Notification) -> str:
    """What happened, in a sentence that names the task, from the catalogue; of a group what happened last, or to how
    many; reads the events.
    """
    if notification.refs and notification.grouped == Grouped.KIND:
        return _of_pile(notification)
    event, name = notification.shown_event, notification.shown_kind
    kind = kinds.CATALOGUE.get(event.kind)
    words = (kind.notice_of(event, name) if kind is not None else "") or f"{name.label}: {event.task_ref}"
    earlier = notification.count - 1
    return f"{words} {earlier} earlier notice{'s' if earlier > 1 else ''}." if earlier else words


def _of_pile(notification: Notification) -> str:
    event, kind, actors = notification.last_event, notification.shown_kind, notification.actors
    by_one, by_several = _PILES.get(kind, (f"{kind.label}: {{what}}.",) * 2)
    words = by_one if len(actors) == 1 else by_several
    if kind == NotificationKind.ASSIGNED and not any(actors):
        words = _OFFERED
    tasks = len(notification.refs)
    return words.format(
        who=event.actor_name or ENGINE,
        what=f"{tasks} tasks in {event.project_key}" if tasks > 1 else event.task_ref,
        count=notification.count,
        project=event.project_key,
    )


#: The members of an event's data in which its actor wrote something.
_WRITTEN = ("note", "prompt", "body")


def note(notification: Notification) -> str:
    """What was written with it, or that it is about; untrusted, empty if nothing was written."""
    return note_of(notification.shown_event)


def note_of(event: Event) -> str:
    """What the actor of ``event`` wrote; untrusted."""
    texts = (event.data.get(name) for name in _WRITTEN)
    return next((text for text in texts if isinstance(text, str) and text), "")
