"""One row for what belongs together: what does, what does not, and what its recipient's events say."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from messaging.models import Grouped, Notification
from messaging.notifications.grouping import ALIKE
from messaging.notifications.reading import count_unread, read_notifications, with_refs
from messaging.notifications.sentences import sentence
from tasks.actions import assignments, claims, runs
from tasks.models import Event

pytestmark = pytest.mark.django_db


def sizes(user) -> list[int]:
    return list(Notification.objects.heads().filter(recipient=user).order_by("pk").values_list("bundled", flat=True))


def shown(user) -> list[str]:
    rows = Notification.objects.heads().filter(recipient=user).with_event_and_task().order_by("-last_event_id")
    return [sentence(row) for row in with_refs(list(rows))]


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


def test_few_of_a_kind_stay_as_they_are(cast, assign):
    assign(ALIKE - 1)
    assert sizes(cast.hugo.user) == [1] * (ALIKE - 1)


def test_many_of_a_kind_are_announced_once_and_then_as_grown(cast, assign):
    assign(19)
    assert sizes(cast.hugo.user) == [19]
    head = Notification.objects.heads().get()
    assert announced("created") == [{"notification": head.pk, "notification_kind": "assigned", "count": 19}]
    assign(2)
    assert sizes(cast.hugo.user) == [21]
    assert len(announced("created")) == 1
    assert announced("extended") == [{"notification": head.pk, "count": 21}]


def test_what_comes_one_by_one_takes_in_what_was_shown_by_itself(cast, assign):
    for _ in range(ALIKE + 2):
        assign(1)
    assert sizes(cast.hugo.user) == [ALIKE + 2]
    assert len(announced("created")) == ALIKE - 1
    assert [data["count"] for data in announced("extended")] == [ALIKE, ALIKE + 1, ALIKE + 2]
    assert not Notification.objects.filter(head__head__isnull=False).exists(), "nothing is behind what is behind"


def test_after_reading_or_a_while_a_new_row_begins(cast, assign):
    assign(6)
    read_notifications(user=cast.hugo.user, ids=[Notification.objects.heads().get().pk])
    assign(6)
    assert sizes(cast.hugo.user) == [6, 6]
    assert count_unread(cast.hugo.user) == 1
    Event.objects.update(at=F("at") - timedelta(minutes=11))
    assign(5)
    assert sizes(cast.hugo.user) == [6, 6, 5]
    Notification.objects.update(at=F("at") - timedelta(minutes=61))
    assign(1)
    assert sizes(cast.hugo.user) == [6, 6, 5, 1], "one that began an hour ago does not grow for ever"


def test_each_recipient_has_their_own_and_several_actors_share_a_row(cast, new_task, notified):
    for actor in (cast.ada.user, cast.root):
        for _ in range(6):
            new_task(actor=actor, assignees=[cast.hugo, cast.atlas])
    notified()
    assert sizes(cast.hugo.user) == sizes(cast.atlas.user) == [12]
    assert shown(cast.hugo.user) == ["12 tasks in OPS were assigned to you."]


def test_what_happens_to_one_task_is_one_row_that_says_the_last(cast, new_task, notified):
    task = new_task(assignees=[cast.hugo])
    notified()
    new_task(assignees=[cast.hugo])
    notified()
    assignments.unassign_task(actor=cast.ada.user, task=task)
    notified()
    assert shown(cast.hugo.user) == ["ada unassigned you from OPS-1. 1 earlier notice.", "ada assigned OPS-2 to you."]
    head = Notification.objects.heads().filter(recipient=cast.hugo.user).earliest("pk")
    assert (head.grouped, head.kind, head.last_kind) == (Grouped.TASK, "assigned", "unassigned")
    new_task(assignees=[cast.hugo])
    notified()
    assert sizes(cast.hugo.user) == [2, 1, 1], "of which one is about something else last"


def test_life_of_tasks_that_somebody_made_is_a_few_rows(cast, new_task, notified):
    """As in the first minutes of a project: each started and completed."""
    for _ in range(8):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        notified()
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
        notified()
    assert Notification.objects.filter(recipient=cast.ada.user).count() == 16
    assert shown(cast.ada.user) == ["atlas completed or accepted 8 tasks in OPS."]
    read_notifications(user=cast.ada.user)
    assert not Notification.objects.unread().filter(recipient=cast.ada.user).exists()
