"""Making notifications from events, each exactly once, by a follower that any number of engines may run."""

from collections.abc import Sequence

from django.contrib.auth.models import User

from messaging.followers import Effect, Follower
from messaging.models import MutedKind, Notification
from messaging.notifications import rules
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Event, Task


def wanted(events: Sequence[Event]) -> list[Notification]:
    """The notifications that the rules ask for, not yet stored: members', not muted, none that is there already."""
    scene = rules.Scene(events)
    found = [
        (one, kind, user)
        for one in events
        for kind, users in rules.concerned(one, scene).items()
        for user in sorted(users)
    ]
    if not found:
        return []
    users = {user for _, _, user in found}
    members = rules.members_among((one.project_id, user) for one, _, user in found)
    muted = set(MutedKind.objects.filter(user__in=users).values_list("user", "kind"))
    # The cursor keeps a batch from being handled twice; this is for one that somebody set back by hand.
    present = set(
        Notification.objects.filter(event__in={one.pk for one, _, _ in found}).values_list("event", "recipient", "kind")
    )
    return [
        Notification(recipient_id=user, kind=kind, event=one, project_id=one.project_id, task_id=one.task_id, at=one.at)
        for one, kind, user in found
        if (one.project_id, user) in members and (user, kind) not in muted and (one.pk, user, kind) not in present
    ]


def prepare(events: Sequence[Event]) -> Effect | None:
    """What the follower does with a batch: the notifications, each with an event for its recipient's eyes alone."""
    new = wanted(events)
    if not new:
        return None
    recipients = User.objects.in_bulk({one.recipient_id for one in new})
    tasks = Task.objects.select_related("project").in_bulk({one.task_id for one in new if one.task_id})

    def store() -> int:
        now = clock.now()
        Notification.objects.bulk_create(new, batch_size=500)
        record(
            *(
                event(
                    kinds.NOTIFICATION_CREATED,
                    at=now,
                    actor=None,
                    task=tasks[one.task_id],
                    recipient=recipients[one.recipient_id],
                    notification=one.pk,
                    notification_kind=one.kind,
                )
                for one in new
                if one.task_id in tasks and one.recipient_id in recipients
            )
        )
        return len(new)

    return store


follower = Follower("notifications", kinds=kinds.NOTIFYING, prepare=prepare)
