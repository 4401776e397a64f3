"""What needs nobody any more is read by itself: a question that has ended is no longer news to those it was for."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User

from messaging.models import Notification, NotificationKind
from messaging.notifications.reading import record_read
from messaging.notifications.rules import questions_of
from tasks.events import kinds
from tasks.models import Event, Question

#: After these a question may have ended.
ENDING: Final = frozenset(
    {kinds.QUESTION_ANSWERED, kinds.QUESTION_WITHDRAWN, kinds.QUESTION_SUPERSEDED, kinds.QUESTION_EXPIRED}
)


def moot_questions(events: Sequence[Event]) -> list[int]:
    """The unread notifications (ids) of questions of which none is open any more, after ``events``."""
    tasks = {event.task_id for event in events if event.kind in ENDING or _ends_some(event)}
    if not tasks:
        return []
    unread = Notification.objects.unread().filter(kind=NotificationKind.QUESTION_FOR_ME, task__in=tasks)
    rows = list(unread.select_related("event").order_by("pk"))
    ids = {pk for row in rows for pk in questions_of(row.event)}
    still_open = set(Question.objects.open().filter(pk__in=ids).values_list("pk", flat=True))
    return [row.pk for row in rows if still_open.isdisjoint(questions_of(row.event))]


def _ends_some(event: Event) -> bool:
    """Whether a task moved to where nobody needs the answers any more."""
    return event.kind == kinds.TASK_STATUS_CHANGED and bool(event.data.get("questions"))


def read_by_themselves(ids: Sequence[int], now: datetime) -> None:
    """Mark them as read, and tell the pages of their recipients."""
    if not ids:
        return
    rows = Notification.objects.unread().filter(pk__in=ids).select_for_update(of=("self",), no_key=True).order_by("pk")
    by_user: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for pk, user, project in rows.values_list("pk", "recipient", "project"):
        by_user[user].append((pk, project))
    Notification.objects.filter(pk__in=ids).update(read_at=now)
    users = User.objects.in_bulk(by_user)
    for user, read in by_user.items():
        record_read(users[user], read, now)
