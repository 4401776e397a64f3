"""Notifications as their recipients use them: list, count, read."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from messaging.models import Notification, NotificationKind, NotificationQuerySet
from taskproject.errors import Invalid
from taskproject.prepared.parameters import for_driver
from taskproject.prepared.querysets import prepared
from taskproject.prepared.running import run
from taskproject.reach import reach_of
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Membership, Project
from tasks.querysets import seen_as, sees_all, sight_of

#: Unread ones are counted up to this number.
COUNTED = 1000
#: At most this many ids of read notifications are listed in one event.
LISTED_IDS = 100
AT_ONCE = 1000
#: Run with every heartbeat: one statement that stops counting, which the ORM cannot express.
UNREAD = f"""
SELECT COUNT(*) FROM (
    SELECT 1 FROM {Notification._meta.db_table} notification
    WHERE recipient_id = %s AND read_at IS NULL AND head_id IS NULL
    AND (%s OR kind = '{NotificationKind.INVITED.value}' OR EXISTS (
        SELECT 1 FROM {Membership._meta.db_table} membership
        WHERE membership.project_id = notification.project_id AND membership.user_id = %s))
    LIMIT {COUNTED}
) AS counted
"""  # noqa: S608 - our own names


def notifications_of(user: User) -> NotificationQuerySet:
    """The notifications of ``user`` in projects that they are a member of now, as far as their credentials reach, and
    of invitations, unless the credentials are limited.
    """
    mine = Notification.objects.filter(recipient=user)
    if sees_all(user):
        return mine
    if reach_of(user).projects is not None:
        return mine.visible_to(user)
    # Not one queryset or the other: that names the recipient in both halves, and SQLite then reads everybody's.
    projects = list(Project.objects.visible_to(user).order_by().values_list("pk", flat=True))
    return mine.filter(Q(project__in=projects) | Q(kind=NotificationKind.INVITED))


def shown_of(user: User, *, bundle: int | None = None) -> NotificationQuerySet:
    """What a list shows: one for each group, or each of one group."""
    mine = notifications_of(user)
    return mine.heads() if bundle is None else mine.in_bundle(bundle)


def with_refs(rows: list[Notification]) -> list[Notification]:
    """``rows``, of which those that stand for a group know the refs of its tasks, in the order in which it happened,
    and the names of who caused it.
    """
    heads = [row.pk for row in rows if row.bundled > 1]
    refs: dict[int, dict[str, None]] = defaultdict(dict)
    actors: dict[int, dict[str, None]] = defaultdict(dict)
    if heads:
        behind = Notification.objects.filter(Q(pk__in=heads) | Q(head__in=heads)).order_by("pk")
        for head, ref, actor in behind.values_list(Coalesce("head", "pk"), "event__task_ref", "event__actor_name"):
            refs[head][ref] = actors[head][actor] = None
    for row in rows:
        row.refs, row.actors = list(refs.get(row.pk, ())), list(actors.get(row.pk, ()))
    return rows


def count_unread(user: User) -> int:
    """How many of them are unread, counted up to ``COUNTED``; a group counts once."""
    if reach_of(user).projects is not None:
        return len(_unread_within.all(user=user.pk, **sight_of(user)))
    pk = for_driver(user.pk)
    [(count,)], _ = run(UNREAD, [pk, sees_all(user), pk])
    return int(count)


@prepared
def _unread_within(
    user: Any, member: Any, reach: Any, *, is_member: bool, is_limited: bool
) -> QuerySet[Notification, Any]:
    seen = seen_as(member, reach, "project__", is_member=is_member, is_limited=is_limited)
    mine = Notification.objects.filter(seen, recipient=user).heads().unread()
    return mine.order_by().values_list("pk", flat=True)[:COUNTED]


def read_notifications(
    *, user: User, ids: Collection[int] | None = None, up_to: int | None = None, kind: str = ""
) -> int:
    """Mark as read those with these ids, or all (up to an event and of one kind, if given); of a group all or none.

    Returns how many were unread, a group counted once.

    Those read before stay as they are. Raises ``Invalid``, with nothing changed, for an id that is not the user's.
    """
    with transaction.atomic():
        # Locked in one order, so that two readers of the same rows cannot deadlock.
        rows = notifications_of(user).heads().select_for_update(of=("self",), no_key=True).order_by("id")
        if ids is not None:
            known = dict(notifications_of(user).filter(pk__in=set(ids)).values_list("pk", Coalesce("head", "pk")))
            if unknown := sorted(set(ids) - known.keys()):
                raise Invalid({"ids": _unknown(unknown)})
            rows = rows.filter(pk__in=set(known.values()))
        if up_to is not None:
            rows = rows.filter(last_event__lte=up_to)
        if kind:
            rows = rows.of_kinds([kind])
        unread = list(rows.unread().values_list("pk", "project_id"))
        if not unread:
            return 0
        now = clock.now()
        for start in range(0, len(unread), AT_ONCE):
            here = [pk for pk, _ in unread[start : start + AT_ONCE]]
            Notification.objects.unread().filter(Q(pk__in=here) | Q(head__in=here)).update(read_at=now)
        record_read(user, unread, now)
    return len(unread)


def _unknown(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:10])) + (" and more" if len(ids) > 10 else "")
    return f"{shown} {'is not a notification' if len(ids) == 1 else 'are not notifications'} of yours."


def record_read(user: User, read: Iterable[tuple[int, int]], now: datetime) -> None:
    """Record an event in each project, so that the user's other pages know."""
    by_project: dict[int, list[int]] = defaultdict(list)
    for pk, project_id in read:
        by_project[project_id].append(pk)
    projects = Project.objects.in_bulk(by_project)
    record(
        *(
            event(
                kinds.NOTIFICATION_READ,
                at=now,
                actor=user,
                project=projects[project_id],
                recipient=user,
                count=len(ids),
                notifications=ids[:LISTED_IDS],
            )
            for project_id, ids in by_project.items()
        )
    )
