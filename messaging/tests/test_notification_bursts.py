"""One notification for a burst: what belongs to it, what does not, and what its recipient's events say."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from messaging.models import Notification
from messaging.notifications.bundling import BURST
from messaging.notifications.reading import count_unread, read_notifications
from tasks.models import Event

pytestmark = pytest.mark.django_db


def sizes(user) -> list[int]:
    return list(Notification.objects.heads().filter(recipient=user).order_by("pk").values_list("bundled", flat=True))


def announced(kind) -> list[dict]:
    return [event.data for event in Event.objects.filter(kind=f"notification.{kind}").order_by("pk")]


@pytest.fixture
def assign(cast, new_task, notified):
    def assign(count, *, actor=None) -> None:
        for _ in range(count):
            new_task(actor=actor or cast.ada.user, assignees=[cast.hugo])
        notified()

    return assign


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: it plans alike whatever is stored")
def test_unread_from_before_cost_nothing(cast, assign):
    """Some agents never read."""
    with CaptureQueriesContext(connection) as captured:
        assign(1)
    [compared] = [query["sql"] for query in captured if '"at" >= ' in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {compared}")
        plan = " · ".join(row[3] for row in cursor.fetchall())
    assert "notification_unread_at (recipient_id=? AND at>?)" in plan


def test_few_stay_as_they_are(cast, assign):
    assign(BURST - 1)
    assert sizes(cast.hugo.user) == [1] * (BURST - 1)


def test_burst_is_announced_once_and_then_as_grown(cast, assign):
    assign(19)
    assert sizes(cast.hugo.user) == [19]
    head = Notification.objects.heads().get()
    assert announced("created") == [{"notification": head.pk, "notification_kind": "assigned", "count": 19}]
    assign(2)
    assert sizes(cast.hugo.user) == [21]
    assert len(announced("created")) == 1
    assert announced("extended") == [{"notification": head.pk, "count": 21}]


def test_burst_that_comes_in_pieces_takes_in_what_was_shown_by_itself(cast, assign):
    for _ in range(BURST + 2):
        assign(1)
    assert sizes(cast.hugo.user) == [BURST + 2]
    assert len(announced("created")) == BURST - 1
    assert [data["count"] for data in announced("extended")] == [BURST, BURST + 1, BURST + 2]


def test_after_reading_or_a_minute_a_new_one_begins(cast, assign):
    assign(6)
    read_notifications(user=cast.hugo.user, ids=[Notification.objects.heads().get().pk])
    assign(6)
    assert sizes(cast.hugo.user) == [6, 6]
    assert count_unread(cast.hugo.user) == 1
    Notification.objects.update(at=F("at") - timedelta(seconds=61))
    assign(5)
    assert sizes(cast.hugo.user) == [6, 6, 5]


def test_each_actor_and_each_recipient_has_their_own(cast, new_task, notified):
    for actor in (cast.ada.user, cast.root):
        for _ in range(6):
            new_task(actor=actor, assignees=[cast.hugo, cast.atlas])
    notified()
    assert sizes(cast.hugo.user) == sizes(cast.atlas.user) == [6, 6]
