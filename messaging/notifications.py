"""Notifications: made from events by a follower, exactly once; read and muted by whom they are for."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection, transaction

from messaging import rules
from messaging.followers import Effect, Follower
from messaging.models import MutedKind, Notification, NotificationKind, NotificationQuerySet
from tasks import clock
from tasks.errors import Invalid, unknown_name
from tasks.events import event, record
from tasks.models import Event, Membership, Project, Task

#: Unread ones are counted up to here.
COUNTED = 1000
#: So many ids of read notifications are told in one event.
TOLD_IDS = 100
AT_ONCE = 1000
#: Asked with every heartbeat: one statement that stops counting, which no ORM query is.
UNREAD = f"""
SELECT COUNT(*) FROM (
    SELECT 1 FROM {Notification._meta.db_table} notification
    WHERE recipient_id = %s AND read_at IS NULL AND (%s OR EXISTS (
        SELECT 1 FROM {Membership._meta.db_table} membership
        WHERE membership.project_id = notification.project_id AND membership.user_id = %s))
    LIMIT %s
) AS counted
"""  # noqa: S608 - our own names


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
                    "notification.created",
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


follower = Follower("notifications", kinds=rules.KINDS, prepare=prepare)


def notifications_of(user: User) -> NotificationQuerySet:
    """Those for ``user`` about projects that they are a member of now."""
    return Notification.objects.filter(recipient=user).visible_to(user)


def count_unread(user: User) -> int:
    """How many of them are unread, counted up to ``COUNTED``."""
    sees_all = user.is_active and user.is_superuser
    with connection.cursor() as cursor:
        cursor.execute(UNREAD, [user.pk, sees_all, user.pk, COUNTED])
        return int(cursor.fetchone()[0])


def read_notifications(
    *, user: User, ids: Collection[int] | None = None, up_to: int | None = None, kind: str = ""
) -> int:
    """Mark as read those with these ids, or all (up to an id and of one kind, where given).

    Returns how many were unread.

    What is read already stays as it was. Raises ``Invalid``, with nothing changed, for an id that is not the user's.
    """
    with transaction.atomic():
        # Locked in one order, so that two readers of the same do not wait for each other in a circle.
        rows = notifications_of(user).select_for_update(of=("self",), no_key=True).order_by("id")
        if ids is not None:
            rows = rows.filter(pk__in=set(ids))
            if unknown := sorted(set(ids) - set(rows.values_list("pk", flat=True))):
                raise Invalid({"ids": _unknown(unknown)})
        if up_to is not None:
            rows = rows.filter(pk__lte=up_to)
        if kind:
            rows = rows.filter(kind=kind)
        unread = list(rows.unread().values_list("pk", "project_id"))
        if not unread:
            return 0
        now = clock.now()
        for start in range(0, len(unread), AT_ONCE):
            here = [pk for pk, _ in unread[start : start + AT_ONCE]]
            Notification.objects.filter(pk__in=here).update(read_at=now)
        _tell_read(user, unread, now)
    return len(unread)


def _unknown(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:10])) + (" and more" if len(ids) > 10 else "")
    return f"{shown} {'is no notification' if len(ids) == 1 else 'are no notifications'} of yours."


def _tell_read(user: User, read: Iterable[tuple[int, int]], now: datetime) -> None:
    """An event in each project, so that the user's other pages know."""
    by_project: dict[int, list[int]] = defaultdict(list)
    for pk, project_id in read:
        by_project[project_id].append(pk)
    projects = Project.objects.in_bulk(by_project)
    record(
        *(
            event(
                "notification.read",
                at=now,
                actor=user,
                project=projects[project_id],
                recipient=user,
                count=len(ids),
                notifications=ids[:TOLD_IDS],
            )
            for project_id, ids in by_project.items()
        )
    )


def muted_kinds(user: User) -> list[str]:
    """The kinds that ``user`` muted, in the order of ``NotificationKind``."""
    muted = set(MutedKind.objects.filter(user=user).values_list("kind", flat=True))
    return [kind.value for kind in NotificationKind if kind.value in muted]


def mute_kinds(*, user: User, kinds: Collection[str]) -> None:
    """Make ``kinds`` those that ``user`` gets no notification of from now on. Raises ``Invalid`` for an unknown one."""
    for kind in kinds:
        if kind not in NotificationKind.values:
            raise Invalid({"muted": unknown_name(kind, NotificationKind.values, what="kind")})
    with transaction.atomic():
        MutedKind.objects.filter(user=user).exclude(kind__in=set(kinds)).delete()
        MutedKind.objects.bulk_create(
            [MutedKind(user=user, kind=kind) for kind in sorted(set(kinds))], ignore_conflicts=True
        )
