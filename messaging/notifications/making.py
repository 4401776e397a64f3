"""Making notifications from events, each exactly once, by a follower that any number of engines may run."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User

from messaging.followers import Effect, Follower
from messaging.models import MutedKind, Notification, NotificationKind
from messaging.notifications import rules
from messaging.notifications.bundling import bundle
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Event, Project, Task


def wanted(events: Sequence[Event]) -> list[Notification]:
    """The notifications that the rules call for, not yet stored: for members and the invited, not muted, and new."""
    scene = rules.Scene(events)
    concerned = [
        (event, kind, user)
        for event in events
        for kind, users in rules.concerned(event, scene).items()
        for user in sorted(users)
    ]
    if not concerned:
        return []
    users = {user for _, _, user in concerned}
    members = rules.members_among((event.project_id, user) for event, _, user in concerned)
    muted = set(MutedKind.objects.filter(user__in=users).values_list("user", "kind"))
    # The cursor keeps a batch from being handled twice; this check is for a cursor that was set back by hand.
    present = set(
        Notification.objects.filter(event__in={event.pk for event, _, _ in concerned}).values_list(
            "event", "recipient", "kind"
        )
    )
    new = [
        Notification(
            recipient_id=user, kind=kind, event=event, project_id=event.project_id, task_id=event.task_id, at=event.at
        )
        for event, kind, user in concerned
        if ((event.project_id, user) in members or kind == NotificationKind.INVITED)
        and (user, kind) not in muted
        and (event.pk, user, kind) not in present
    ]
    return _invited_once(new)


def _invited_once(new: Sequence[Notification]) -> list[Notification]:
    """``new`` without invitations of which their recipients have not read yet: who withdraws and repeats one, again and
    again, is heard once.
    """
    invited = [notification for notification in new if notification.kind == NotificationKind.INVITED]
    if not invited:
        return list(new)
    unread = Notification.objects.unread().filter(
        kind=NotificationKind.INVITED,
        recipient__in={notification.recipient_id for notification in invited},
        project__in={notification.project_id for notification in invited},
    )
    known = {_invitation(notification) for notification in unread.select_related("event")}
    kept = []
    for notification in new:
        if notification.kind == NotificationKind.INVITED:
            if _invitation(notification) in known:
                continue
            known.add(_invitation(notification))
        kept.append(notification)
    return kept


def _invitation(notification: Notification) -> tuple[int, int, str]:
    """Who is notified of an invitation where, and of whose."""
    return notification.recipient_id, notification.project_id, notification.event.data["member"]


def _count(notification: Notification) -> dict[str, Any]:
    """What the event of a new notification says of a burst."""
    return {"count": notification.bundled} if notification.bundled > 1 else {}


def prepare(events: Sequence[Event]) -> Effect | None:
    """What the follower does with a batch: the notifications, and an event for each, or for a burst, that its
    recipient alone sees.
    """
    new = wanted(events)
    if not new:
        return None
    recipients = User.objects.in_bulk({notification.recipient_id for notification in new})
    tasks = Task.objects.select_related("project").in_bulk(
        {notification.task_id for notification in new if notification.task_id}
    )

    def store() -> int:
        now = clock.now()
        Notification.objects.bulk_create(new, batch_size=500)
        grown = bundle(new)
        projects = Project.objects.in_bulk({notification.project_id for notification in grown})
        record(
            *(
                event(
                    kinds.NOTIFICATION_EXTENDED,
                    at=now,
                    actor=None,
                    project=projects[head.project_id],
                    recipient=recipients[head.recipient_id],
                    notification=head.pk,
                    count=head.bundled,
                )
                for head in grown
            ),
            *(
                event(
                    kinds.NOTIFICATION_CREATED,
                    at=now,
                    actor=None,
                    task=tasks[notification.task_id],
                    recipient=recipients[notification.recipient_id],
                    notification=notification.pk,
                    notification_kind=notification.kind,
                    **_count(notification),
                )
                for notification in new
                if not notification.head_id
                and notification.task_id in tasks
                and notification.recipient_id in recipients
            ),
        )
        return len(new)

    return store


follower = Follower("notifications", kinds=kinds.NOTIFYING, prepare=prepare)
