"""Making notifications and mails from events, each exactly once, by a follower that any number of engines may run."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import User

from messaging.followers import Effect, Follower
from messaging.models import Email, Mail, Notification, NotificationKind
from messaging.notifications import rules
from messaging.notifications.choices import Choices
from messaging.notifications.grouping import group
from messaging.notifications.settling import ENDING, moot_questions, read_by_themselves
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Event, Priority, Project, Task

#: Who withdraws and repeats an invitation is heard once: on the page until it is read, by mail in this time.
INVITED_ANEW: Final = timedelta(days=1)

#: An invitation is no event of the project: its id would tell inviters whether somebody has the name.
UNANNOUNCED: Final = frozenset({NotificationKind.INVITED})


class Notice(NamedTuple):
    """That ``user`` is to be told of ``event``, by the ways that they chose."""

    event: Event
    kind: NotificationKind
    user: int


class Wanted(NamedTuple):
    """What the rules call for, not yet stored. ``alerts``: what a browser shows by itself, as (event, user)."""

    notifications: list[Notification]
    mails: list[Mail]
    alerts: set[tuple[int, int]]


def wanted(events: Sequence[Event]) -> Wanted:
    """What is to be told of ``events``: to members and the invited, each event once, by the ways that they chose."""
    scene = rules.Scene(events)
    concerned = [
        Notice(event, kind, user) for event in events for user, kind in sorted(rules.concerned(event, scene).items())
    ]
    if not concerned:
        return Wanted([], [], set())
    members = rules.members_among((notice.event.project_id, notice.user) for notice in concerned)
    concerned = [
        notice
        for notice in concerned
        if (notice.event.project_id, notice.user) in members or notice.kind == NotificationKind.INVITED
    ]
    if not concerned:
        return Wanted([], [], set())
    # The cursor keeps a batch from being handled twice; these checks are for a cursor that was set back by hand.
    ids = {notice.event.pk for notice in concerned}
    present = set(Notification.objects.filter(event__in=ids).values_list("event", "recipient"))
    mailed = set(Mail.objects.filter(event__in=ids).values_list("event", "recipient"))
    urgent = {
        notice.event.pk
        for notice in concerned
        if notice.kind == NotificationKind.QUESTION_FOR_ME
        and any(question.urgency == Priority.URGENT for question in scene.questions(notice.event))
    }
    return _by_ways(_invited_once(concerned), present, mailed, urgent)


def _by_ways(
    notices: Sequence[Notice], present: set[tuple[int, int]], mailed: set[tuple[int, int]], urgent: set[int]
) -> Wanted:
    users = {notice.user for notice in notices}
    choices = Choices(users)
    reachable = set(User.objects.filter(pk__in=users).exclude(email="").values_list("pk", flat=True))
    now = clock.now()
    made = Wanted([], [], set())
    for notice in notices:
        event, kind, user = notice
        ways, times = choices.ways(user, kind), choices.times(user)
        key = (event.pk, user)
        quiet_end = times.quiet_end(now, urgent=event.pk in urgent)
        if ways.page and key not in present:
            made.notifications.append(
                Notification(
                    recipient_id=user,
                    kind=kind,
                    event=event,
                    project_id=event.project_id,
                    task_id=event.task_id,
                    at=event.at,
                    last_event=event,
                    last_kind=kind,
                )
            )
            if ways.browser and quiet_end is None:
                made.alerts.add(key)
        if ways.email != Email.OFF and user in reachable and key not in mailed:
            daily = ways.email == Email.DAILY
            made.mails.append(
                Mail(
                    recipient_id=user,
                    kind=kind,
                    event=event,
                    project_id=event.project_id,
                    created_at=now,
                    # The hour of the digest is chosen by its reader, so it counts in quiet hours too.
                    due_at=times.next_digest(now) if daily else quiet_end or now,
                    daily=daily,
                )
            )
    return made


def _invited_once(notices: Sequence[Notice]) -> list[Notice]:
    """``notices`` without invitations of which their recipients have not read yet, or have a mail."""
    invited = [notice for notice in notices if notice.kind == NotificationKind.INVITED]
    if not invited:
        return list(notices)
    same = {
        "kind": NotificationKind.INVITED,
        "recipient__in": {notice.user for notice in invited},
        "project__in": {notice.event.project_id for notice in invited},
    }
    unread: Iterable[Notification] = Notification.objects.unread().filter(**same).select_related("event")
    mails: Iterable[Mail] = Mail.objects.filter(created_at__gt=clock.now() - INVITED_ANEW, **same).select_related(
        "event"
    )
    known = {_invitation(row.recipient_id, row.event) for row in unread}
    known |= {_invitation(mail.recipient_id, mail.event) for mail in mails}
    kept = []
    for notice in notices:
        if notice.kind == NotificationKind.INVITED:
            if (invitation := _invitation(notice.user, notice.event)) in known:
                continue
            known.add(invitation)
        kept.append(notice)
    return kept


def _invitation(user: int, event: Event) -> tuple[int, int, str]:
    """Who is notified of an invitation where, and of whose."""
    return user, event.project_id, event.data["member"]


def _facts(head: Notification, alerts: set[tuple[int, int]]) -> dict[str, Any]:
    """What the event of a row says of a group, and to a browser."""
    facts: dict[str, Any] = {"count": head.bundled} if head.bundled > 1 else {}
    if (head.last_event_id, head.recipient_id) in alerts:
        facts["alert"] = True
    return facts


def prepare(events: Sequence[Event]) -> Effect | None:
    """What the follower does with a batch: the mails, the notifications, and an event for each of these, or for a
    group, that its recipient alone sees.
    """
    new, mails, alerts = wanted(events)
    moot = moot_questions(events)
    if not new and not mails and not moot:
        return None
    recipients = User.objects.in_bulk({notification.recipient_id for notification in new})
    tasks = Task.objects.select_related("project").in_bulk(
        {notification.task_id for notification in new if notification.task_id}
    )

    def store() -> int:
        now = clock.now()
        read_by_themselves(moot, now)
        Mail.objects.bulk_create(mails, batch_size=500)
        Notification.objects.bulk_create(new, batch_size=500)
        grown = group(new)
        homes = Project.objects.in_bulk({row.project_id for row in [*new, *grown]})
        record(
            *(
                event(
                    kinds.NOTIFICATION_EXTENDED,
                    at=now,
                    actor=None,
                    project=homes[head.project_id],
                    recipient=recipients[head.recipient_id],
                    notification=head.pk,
                    **{"count": head.bundled} | _facts(head, alerts),
                )
                for head in grown
                if head.recipient_id in recipients
            ),
            *(
                event(
                    kinds.NOTIFICATION_CREATED,
                    at=now,
                    actor=None,
                    **({"task": tasks[row.task_id]} if row.task_id in tasks else {"project": homes[row.project_id]}),
                    recipient=recipients[row.recipient_id],
                    notification=row.pk,
                    notification_kind=row.kind,
                    **_facts(row, alerts),
                )
                for row in new
                if not row.head_id
                and row.recipient_id in recipients
                and row.kind not in UNANNOUNCED
                and (row.task_id is None or row.task_id in tasks)
            ),
        )
        return len(new) + len(mails)

    return store


follower = Follower("notifications", kinds=kinds.NOTIFYING | ENDING, prepare=prepare)
