"""Nothing is skipped when transactions commit in another order than they took their ids, and nobody waits in vain."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import DatabaseError, InterfaceError, connection, connections, transaction

from tasks import clock
from tasks.actions import claims
from tasks.errors import Contended, CursorExpired, Invalid
from tasks.events import kinds
from tasks.events import settled as module
from tasks.events.reading import START, Cursor, present_cursor, read_all, read_events, require_kept
from tasks.events.recording import event, record
from tasks.events.settled import Gap, Known, Settled
from tasks.models import EngineState, Event, Project, Task
from tasks.tests.racing import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

on_postgresql = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="Only on PostgreSQL: SQLite writes one transaction at a time"
)

#: Seconds.
PATIENCE = 30


def write(cast, word: str) -> None:
    record(event(kinds.TASK_CREATED, at=clock.now(), actor=None, project=cast.ops, title=word))


def words(events) -> list[str]:
    return [event.data["title"] for event in events]


@pytest.fixture
def settled(cast, monkeypatch) -> Settled:
    """The state of a process that has yet to look. Something happened before: ids do not begin with 1 here."""
    write(cast, "long ago")
    fresh = Settled()
    monkeypatch.setattr("tasks.events.reading.settled", fresh)
    return fresh


class Session:
    """Another session of the database, with a transaction that is open until it is told how to end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._began, self._may_end = threading.Event(), threading.Event()
        self._commits = True
        self._thread = in_thread(self._run)
        assert self._began.wait(PATIENCE)

    def _run(self) -> None:
        with transaction.atomic():
            self._work()
            self._began.set()
            assert self._may_end.wait(PATIENCE)
            if not self._commits:
                transaction.set_rollback(True)

    def commit(self) -> None:
        self._may_end.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def roll_back(self) -> None:
        self._commits = False
        self.commit()


@contextlib.contextmanager
def open_transaction(work: Callable[[], object]) -> Iterator[Session]:
    session = Session(work)
    try:
        yield session
    finally:
        session.commit()


# What settles when


@on_postgresql
def test_event_waits_for_one_of_an_earlier_id_that_commits_later(cast, settled):
    start = present_cursor()
    with open_transaction(lambda: write(cast, "early")) as early:
        write(cast, "late")
        assert read_all(start, 10) == ([], start)
        early.commit()
    events, cursor = read_all(start, 10)
    assert words(events) == ["early", "late"]
    assert read_all(cursor, 10) == ([], cursor)


@on_postgresql
def test_event_before_an_open_transaction_is_read_at_once(cast, settled):
    start = present_cursor()
    write(cast, "before")
    with open_transaction(lambda: write(cast, "open")):
        write(cast, "behind")
        assert words(read_all(start, 10)[0]) == ["before"]


@on_postgresql
def test_gap_is_passed_once_its_transaction_is_rolled_back(cast, settled):
    start = present_cursor()
    with open_transaction(lambda: write(cast, "gone")) as gone:
        write(cast, "kept")
        assert read_all(start, 10)[0] == []
        gone.roll_back()
    assert words(read_all(start, 10)[0]) == ["kept"]


@on_postgresql
def test_transaction_that_writes_no_event_delays_nobody(cast, settled):
    def change_something() -> None:
        Project.objects.filter(pk=cast.ops.pk).update(name="Changed")
        Task.objects.create(project=cast.other, number=77, title="t", created_at=clock.now(), updated_at=clock.now())
        list(Event.objects.all())

    with open_transaction(change_something):
        start = present_cursor()
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            write(cast, "gone")
            raise ZeroDivisionError
        write(cast, "kept")
        assert words(read_all(start, 10)[0]) == ["kept"]
        assert present_cursor() > start


@on_postgresql
def test_gap_waits_for_earlier_transactions_and_not_for_later_ones(cast, settled):
    """Under load there is always somebody: a gap that waited for a quiet moment would starve."""
    start = present_cursor()
    with open_transaction(lambda: write(cast, "first")) as first:
        write(cast, "one")
        assert read_all(start, 10)[0] == []
        with open_transaction(lambda: write(cast, "second")) as second:
            first.roll_back()
            write(cast, "two")
            assert words(read_all(start, 10)[0]) == ["one"]
            second.commit()
    assert words(read_all(start, 10)[0]) == ["one", "second", "two"]


@on_postgresql
def test_insert_that_has_its_lock_and_no_id_yet_is_waited_for(cast, settled):
    """The lock comes before the id, so one without an id may take any; afterwards it takes a higher one."""
    start = present_cursor()

    def lock() -> None:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE tasks_event IN ROW EXCLUSIVE MODE")

    with open_transaction(lambda: write(cast, "gone")) as gone, open_transaction(lock) as locked:
        write(cast, "kept")
        assert read_all(start, 10)[0] == []
        gone.roll_back()
        assert read_all(start, 10)[0] == []
        locked.commit()
    assert words(read_all(start, 10)[0]) == ["kept"]


@on_postgresql
def test_savepoint_that_is_rolled_back_leaves_a_gap_until_its_transaction_ends(cast, settled):
    start = present_cursor()

    def write_half() -> None:
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            write(cast, "gone")
            raise ZeroDivisionError
        write(cast, "whole")

    with open_transaction(write_half) as half:
        write(cast, "other")
        assert read_all(start, 10)[0] == []
        half.commit()
    assert words(read_all(start, 10)[0]) == ["whole", "other"]


@on_postgresql
def test_transaction_reads_what_it_recorded_itself_and_nobody_else_relies_on_it(cast, settled):
    start = present_cursor()
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        write(cast, "mine")
        write(cast, "mine too")
        assert words(read_all(start, 10)[0]) == ["mine", "mine too"]
        raise ZeroDivisionError
    assert present_cursor() == start


@on_postgresql
def test_transaction_that_is_prepared_is_waited_for_by_whatever_name():
    running = frozenset({"3/17", "4/2"})
    gap = Gap(10, running)
    assert gap.narrowed(frozenset({"4/2", "5/1"})).holders == {"4/2"}
    assert gap.narrowed(frozenset({module.PREPARED, "5/1"})).holders == {module.PREPARED}


def test_two_looks_at_once_are_joined_without_losing_ground():
    first_gap, later_gap = Gap(10, frozenset({"a", "b"})), Gap(12, frozenset({"b", "c"}))
    assert Known(5, first_gap).joined(Known(7)) == Known(7)
    assert Known(5, first_gap).joined(Known(5)) == Known(5, first_gap)
    assert Known(5, later_gap).joined(Known(5, first_gap)) == Known(5, first_gap)
    narrowed = Known(5, Gap(10, frozenset({"b"})))
    assert Known(5, first_gap).joined(narrowed) == narrowed


# Where a reader begins


@on_postgresql
def test_process_that_starts_beside_an_open_transaction_begins_where_the_engines_are(cast, settled):
    write(cast, "before")
    known = present_cursor()
    EngineState.objects.create(pk=1, last_tick_at=clock.now(), settled_event_id=known.id)
    with open_transaction(lambda: write(cast, "open")) as session:
        write(cast, "behind")
        settled._known = None
        start = present_cursor()
        assert start == known
        session.commit()
    assert words(read_all(start, 10)[0]) == ["open", "behind"]


def test_engine_writes_down_how_far_the_stream_is_complete(cast, settled):
    from tasks import engine

    engine.tick()
    write(cast, "now")
    engine.tick()
    assert EngineState.objects.get().settled_event_id == Event.objects.latest("pk").pk


def test_present_cursor_lies_after_all_that_was_and_before_all_that_comes(cast, settled):
    write(cast, "before")
    cursor = present_cursor()
    write(cast, "after")
    assert words(read_events(user=cast.ada.user, after=cursor)[0]) == ["after"]


@on_postgresql
def test_present_cursor_never_goes_back_under_concurrent_writers(cast, settled):
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            write(cast, "busy")

    threads = [in_thread(work) for _ in range(4)]
    try:
        seen = [present_cursor() for _ in range(100)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen == sorted(seen)


# Cursors


def test_cursor_survives_its_text_form():
    assert Cursor.parse(str(Cursor(12345))) == Cursor(12345)
    assert Cursor.parse(str(START)) == START


@pytest.mark.parametrize("text", ["x", "17", "ZTE3LjE", "ZQ", "ZS0x", "ZTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ", "é"])
def test_cursor_that_is_not_ours_is_refused(text):
    with pytest.raises(Invalid):
        Cursor.parse(text)


@pytest.mark.parametrize("text", ["NzQ1LjEy", "NzQ1Li0x", "MC4xNw"])
def test_cursor_of_the_former_order_has_expired(text):
    with pytest.raises(CursorExpired, match="earlier version"):
        Cursor.parse(text)


def test_cursor_beyond_the_table_has_expired(cast, settled):
    """A dump was restored: what the cursor stands for has not happened here."""
    write(cast, "newest")
    newest = present_cursor()
    require_kept(newest)
    beyond = Cursor(newest.id + 1_000_000)
    with pytest.raises(CursorExpired, match="another database"):
        require_kept(beyond)
    with pytest.raises(CursorExpired):
        read_all(beyond, 10)


def test_cursor_at_a_deleted_event_stays_good(cast, settled):
    write(cast, "deleted")
    cursor = present_cursor()
    Event.objects.filter(pk=cursor.id).delete()
    require_kept(cursor)
    assert read_all(cursor, 10) == ([], cursor)
    write(cast, "after")
    assert words(read_all(cursor, 10)[0]) == ["after"]


@on_postgresql
def test_process_that_outlives_its_table_begins_again(cast, settled):
    write(cast, "newest")
    settled._known = Known(present_cursor().id + 1_000_000)
    assert present_cursor().id == Event.objects.latest("pk").pk


def test_ids_of_events_are_handed_out_one_by_one(db):
    """A session that took a block of ids at a time would give them out late, below those of others."""
    assert module.ids_at_a_time() == 1


# Under load


@pytest.mark.parametrize("readers", [1, 3])
def test_readers_meet_every_event_once_in_one_order_beside_rollbacks(cast, settled, readers):
    """Six writers, a quarter of whose transactions is rolled back: each reader goes on, and all see the same."""
    writers, each = 6, 25
    done = threading.Event()

    def work(number: int) -> None:
        for turn in range(each):
            with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                write(cast, f"{number}.{turn}")
                if turn % 4 == 3:
                    raise ZeroDivisionError

    start = present_cursor()

    def follow(seen: list[str]) -> None:
        cursor = start
        while True:
            is_last = done.is_set()
            events, cursor = read_events(user=cast.root, after=cursor, limit=7)
            seen.extend(words(events))
            if is_last and not events:
                return

    sequences: list[list[str]] = [[] for _ in range(readers)]
    reading = [in_thread(lambda seen=seen: follow(seen)) for seen in sequences]
    writing = [in_thread(lambda n=n: work(n)) for n in range(writers)]
    for thread in writing:
        thread.join()
    done.set()
    for thread in reading:
        thread.join()
    table = words(Event.objects.filter(pk__gt=start.id).in_order())
    assert len(table) == writers * (each - each // 4)
    assert sequences == [table] * readers
    for number in range(writers):
        own = [word for word in table if word.startswith(f"{number}.")]
        assert own == [f"{number}.{turn}" for turn in range(each) if turn % 4 != 3]


@on_postgresql
def test_gap_never_starves_under_constant_load(cast, settled):
    """Writers without a pause, a quarter of it rolled back: every hundred events the reader has moved on."""
    stop = threading.Event()

    def work(number: int) -> None:
        turn = number
        while not stop.is_set():
            turn += 1
            with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                write(cast, "busy")
                if turn % 4 == 0:
                    raise ZeroDivisionError

    threads = [in_thread(lambda n=n: work(n)) for n in range(8)]
    try:
        place, moved = present_cursor(), 0
        until = time.monotonic() + PATIENCE
        while moved < 20:
            assert time.monotonic() < until, "the reader stands still"
            _, now = read_all(place, 1000)
            moved += now > place
            place = now
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        connections.close_all()


def test_private_event_is_seen_by_its_recipient_and_actor_alone(cast):
    to_atlas = {"actor": cast.ada.user, "project": cast.ops, "recipient": cast.atlas.user}
    record(event(kinds.TASK_CREATED, at=clock.now(), title="x", **to_atlas))
    assert words(read_events(user=cast.atlas.user)[0]) == ["x"]
    assert words(read_events(user=cast.ada.user)[0]) == ["x"]
    assert read_events(user=cast.bert.user)[0] == []


def test_many_events_at_once_stand_in_the_order_in_which_they_were_recorded(cast, settled, monkeypatch):
    monkeypatch.setattr("tasks.events.recording.MANY", 3)
    start = present_cursor()
    now = clock.now()
    many = [
        event(kinds.TASK_CREATED, at=now, actor=cast.ada.user, project=cast.ops, title=f"\t{n} \\N \n'\"é")
        for n in range(50)
    ]
    with transaction.atomic():
        record(*many[:30])
        record(*many[30:])
    events, _ = read_all(start, 100)
    assert words(events) == [each.data["title"] for each in many]
    assert {(each.at, each.actor_id, each.recipient_id, each.task_id) for each in events} == {
        (now, cast.ada.user_id, None, None)
    }


# How long a transaction may keep others waiting


@on_postgresql
def test_connections_have_bounds_for_idle_transactions_and_for_locks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("1min", "30s")


@on_postgresql
def test_transaction_that_does_nothing_for_too_long_is_ended_and_holds_up_nobody(cast, settled):
    start = present_cursor()
    has_written, has_been_ended = threading.Event(), threading.Event()

    def freeze() -> None:
        with contextlib.suppress(DatabaseError, InterfaceError), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET idle_in_transaction_session_timeout = '200ms'")
            write(cast, "gone")
            has_written.set()
            assert has_been_ended.wait(PATIENCE)

    thread = in_thread(freeze)
    assert has_written.wait(PATIENCE)
    write(cast, "kept")
    until = time.monotonic() + PATIENCE
    while not (seen := read_all(start, 10)[0]):
        assert time.monotonic() < until, "the stream is held up"
        time.sleep(0.02)
    assert words(seen) == ["kept"]
    has_been_ended.set()
    thread.join()


@on_postgresql
def test_verb_that_waits_for_a_lock_too_long_is_refused_in_one_sentence(cast, new_task):
    task = new_task()
    with open_transaction(lambda: Task.objects.filter(pk=task.pk).update(title="held")):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        try:
            with pytest.raises(Contended, match="Others held what this needs for too long; try again later"):
                claims.claim_task(actor=cast.atlas.user, task=task)
        finally:
            connection.close()
