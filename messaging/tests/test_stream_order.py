"""Nothing is skipped when transactions commit in another order than they began."""

import threading

import pytest
from django.db import connection, transaction

from tasks import clock
from tasks.events import kinds
from tasks.events.reading import HORIZON, START, Cursor, present_cursor, read_events
from tasks.events.recording import event, record
from tasks.tests.racing import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


def write(cast, word: str) -> None:
    record(event(kinds.TASK_CREATED, at=clock.now(), actor=None, project=cast.ops, title=word))


def words(events) -> list[str]:
    return [e.data["title"] for e in events]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="Only on PostgreSQL: SQLite writes one at a time")
def test_read_events_waits_for_an_earlier_transaction_that_commits_later(cast):
    early_has_written, may_commit = threading.Event(), threading.Event()

    def early() -> None:
        with transaction.atomic():
            write(cast, "early")
            early_has_written.set()
            assert may_commit.wait(20)

    thread = in_thread(early)
    assert early_has_written.wait(20)
    write(cast, "late")
    seen, cursor = read_events(user=cast.root)
    assert words(seen) == [], "the later event must wait for the earlier transaction"
    may_commit.set()
    thread.join()
    seen, cursor = read_events(user=cast.root, after=cursor)
    assert words(seen) == ["early", "late"]
    assert read_events(user=cast.root, after=cursor)[0] == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="Only on PostgreSQL: SQLite has no such ids")
def test_horizon_bears_a_transaction_that_began_while_it_was_asked_for(cast):
    """Its id is above the first one that was free a moment before, and must not be taken for one of ages ago."""
    has_begun, may_end = threading.Event(), threading.Event()
    ids: list[int] = []

    def begin() -> None:
        with transaction.atomic():
            write(cast, "running")
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()::text::bigint")
                ids.append(cursor.fetchone()[0])
            has_begun.set()
            assert may_end.wait(20)

    thread = in_thread(begin)
    assert has_begun.wait(20)
    try:
        for earlier in (0, 1, 3):
            given = HORIZON.replace("pg_snapshot_xmax(pg_current_snapshot())::text::bigint", str(ids[0] - earlier))
            assert given != HORIZON
            with connection.cursor() as cursor:
                cursor.execute(given)
                assert cursor.fetchone()[0] == ids[0] - earlier
    finally:
        may_end.set()
        thread.join()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="Only on PostgreSQL: SQLite has no such ids")
def test_present_cursor_never_goes_back_under_concurrent_writers(cast):
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            write(cast, "busy")

    threads = [in_thread(work) for _ in range(4)]
    try:
        seen = [present_cursor() for _ in range(400)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen == sorted(seen)


def test_read_events_meets_every_event_once_under_concurrent_writers(cast):
    writers, each = 6, 15
    stop = threading.Event()

    def work(number: int) -> None:
        for turn in range(each):
            with transaction.atomic():
                write(cast, f"{number}.{turn}")

    seen: list[str] = []

    def follow() -> None:
        cursor = START
        while True:
            done = stop.is_set()
            events, cursor = read_events(user=cast.root, after=cursor, limit=7)
            seen.extend(words(events))
            if done and not events:
                return

    reader = in_thread(follow)
    threads = [in_thread(lambda n=n: work(n)) for n in range(writers)]
    for thread in threads:
        thread.join()
    stop.set()
    reader.join()
    assert sorted(seen) == sorted(f"{n}.{t}" for n in range(writers) for t in range(each))
    for number in range(writers):
        own = [word for word in seen if word.startswith(f"{number}.")]
        assert own == [f"{number}.{turn}" for turn in range(each)]


def test_present_cursor_lies_after_all_that_was_and_before_all_that_comes(cast):
    write(cast, "before")
    cursor = present_cursor()
    write(cast, "after")
    assert words(read_events(user=cast.root, after=cursor)[0]) == ["after"]


def test_cursor_survives_its_text_form_and_rolled_back_events_are_never_seen(cast):
    with transaction.atomic():
        write(cast, "gone")
        transaction.set_rollback(True)
    write(cast, "kept")
    seen, cursor = read_events(user=cast.root)
    assert words(seen) == ["kept"]
    assert Cursor.parse(str(cursor)) == cursor


def test_private_event_is_seen_by_its_recipient_and_actor_alone(cast):
    record(
        event(
            kinds.TASK_CREATED,
            at=clock.now(),
            actor=cast.ada.user,
            project=cast.ops,
            recipient=cast.atlas.user,
            title="x",
        )
    )
    assert words(read_events(user=cast.atlas.user)[0]) == ["x"]
    assert words(read_events(user=cast.ada.user)[0]) == ["x"]
    assert read_events(user=cast.bert.user)[0] == []
