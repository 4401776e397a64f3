"""A dump restored on another PostgreSQL, whose transaction ids begin anew: nothing is told twice or held back."""

import pytest
from django.db import connection
from django.db.models import F

from messaging.models import FollowerCursor, Notification
from messaging.notifications.making import follower
from tasks.errors import CursorExpired
from tasks.events.reading import START, Cursor, read_all, require_kept
from tasks.models import Event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="Only on PostgreSQL: SQLite orders by row ids"),
]

#: As if the other one had given so many ids more.
AHEAD = 1_000_000_000


def test_restored_events_come_first_and_are_told_no_more(cast, new_task):
    new_task(assignees=[cast.hugo])
    follower.catch_up()
    Event.objects.update(transaction_id=F("transaction_id") + AHEAD)
    FollowerCursor.objects.update(transaction_id=F("transaction_id") + AHEAD)
    Notification.objects.all().delete()
    since = new_task(assignees=[cast.hugo])
    assert follower.catch_up() == 1
    assert list(Notification.objects.values_list("task", flat=True)) == [since.pk]
    assert follower.catch_up() == 0
    events, _ = read_all(START, 100)
    assert [event.pk for event in events] == sorted(Event.objects.values_list("pk", flat=True))


def test_cursor_of_the_other_database_has_expired(cast, new_task):
    new_task()
    newest = Event.objects.in_order().last()
    require_kept(Cursor.of(newest))
    with pytest.raises(CursorExpired):
        require_kept(Cursor(newest.transaction_id + AHEAD, -1))
