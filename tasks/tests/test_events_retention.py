"""A reader without a cursor at the edge of retention: every kept event is read, whatever the order of their times."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction

from tasks import clock
from tasks.errors import CursorExpired
from tasks.events import kinds
from tasks.events.reading import DISORDER, Cursor, first_kept, present_cursor, read_all, require_kept
from tasks.events.recording import event, record
from tasks.tests.fake_clock import patch_clock
from tasks.tests.racing import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

KEPT = timedelta(days=settings.EVENT_RETENTION_DAYS)
SECOND = timedelta(seconds=1)


def write(cast, word, at):
    record(event(kinds.TASK_DELETED, at=at, actor=None, project=cast.ops, title=word))


def words(after):
    require_kept(after)
    return [event.data["title"] for event in read_all(after, 100)[0] if event.kind == kinds.TASK_DELETED]


@pytest.fixture
def edge(cast):
    """What is older is no longer promised."""
    return clock.now() - KEPT


def test_event_recorded_before_one_that_is_dated_earlier_is_read(cast, edge):
    """The later one waited for a lock, so it is dated before its neighbour."""
    write(cast, "gone", edge - 2 * DISORDER)
    write(cast, "early id", edge + 120 * SECOND)
    write(cast, "early date", edge + 60 * SECOND)
    write(cast, "late", clock.now())
    assert words(first_kept()) == ["early id", "early date", "late"]


def test_event_past_its_time_between_kept_ones_stops_nobody(cast, edge):
    write(cast, "first", edge + 60 * SECOND)
    write(cast, "dated before", edge - 60 * SECOND)
    write(cast, "last", clock.now())
    start = first_kept()
    assert words(start) == ["first", "dated before", "last"]
    after_first = Cursor.of(read_all(start, 1)[0][0])
    assert words(after_first) == ["dated before", "last"]


def test_time_that_passes_between_the_look_and_the_page_stops_nobody(cast, edge, monkeypatch):
    write(cast, "at the edge", edge + 5 * SECOND)
    start = first_kept()
    later = clock.now() + 60 * SECOND
    patch_clock(monkeypatch, lambda: later)
    assert words(start) == ["at the edge"]


def test_reader_that_starts_after_a_quiet_time_waits_for_what_comes(cast, edge, api):
    write(cast, "gone", edge - 2 * DISORDER)
    tail = present_cursor()
    assert first_kept() >= tail
    answer = api.vera.get("/events")
    assert answer.status_code == 200
    write(cast, "new", clock.now())
    page = api.vera.get(f"/events?after={answer.json()['cursor']}").json()["events"]
    assert [event["data"]["title"] for event in page if event["kind"] == kinds.TASK_DELETED] == ["new"]


def test_cursor_beyond_retention_still_expires(cast, edge):
    write(cast, "gone", edge - 2 * DISORDER)
    with pytest.raises(CursorExpired, match="too old"):
        require_kept(Cursor(0))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite has one writer")
def test_start_is_not_beyond_what_another_transaction_may_still_write(cast, edge):
    """After a quiet time the first kept event that is visible may have a higher id than one not yet committed."""

    def write_visible() -> None:
        write(cast, "visible", clock.now())

    with transaction.atomic():
        write(cast, "uncommitted", clock.now())
        in_thread(write_visible).join()
        starts = []
        in_thread(lambda: starts.append(first_kept())).join()
    assert words(starts[0])[-2:] == ["uncommitted", "visible"]
