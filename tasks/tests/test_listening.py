"""Everyone who waits in a process hears of events by one tail: in order, each once, whoever recorded them."""

import asyncio
import threading
import time

import pytest
from django.db import OperationalError

from tasks import clock
from tasks.events import kinds, listening
from tasks.events.listening import FeedOverrun, Listener, News
from tasks.events.reading import Cursor
from tasks.events.recording import event, record
from tasks.tests.racing import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

#: Seconds.
PATIENCE = 30


def write(cast, word: str) -> None:
    record(event(kinds.TASK_CREATED, at=clock.now(), actor=None, project=cast.ops, title=word))


def words(events) -> list[str]:
    return [event.data["title"] for event in events]


def heard_until(ears, word: str) -> list[str]:
    heard: list[str] = []
    until = time.monotonic() + PATIENCE
    while word not in heard:
        assert time.monotonic() < until, heard
        news = ears.take(1)
        heard += words(news.events) if news is not None else []
    return heard


def has_joined(ears) -> None:
    news = ears.take(PATIENCE)
    assert news is not None
    assert list(news.events) == []


@pytest.fixture
def tail():
    """A listener that nothing rings: it looks by itself, as for the commits of other processes."""
    tail = Listener()
    yield tail
    assert tail._subscriptions == []
    if tail._thread is not None:
        tail._thread.join(PATIENCE)


def test_ears_hear_what_is_recorded_after_they_began(cast, tail):
    write(cast, "before")
    with tail.ears() as ears:
        has_joined(ears)
        for number in range(20):
            write(cast, f"w{number}")
        assert heard_until(ears, "w19") == [f"w{number}" for number in range(20)]


def test_one_who_joins_later_hears_the_rest(cast, tail):
    with tail.ears() as first:
        has_joined(first)
        write(cast, "one")
        assert heard_until(first, "one") == ["one"]
        with tail.ears() as second:
            has_joined(second)
            write(cast, "two")
            assert heard_until(second, "two") == ["two"]
        assert heard_until(first, "two") == ["two"]


def test_ears_for_some_kinds_hear_no_others(cast, tail):
    with tail.ears(kinds={kinds.TASK_CREATED}) as ears:
        has_joined(ears)
        record(event(kinds.PROJECT_EDITED, at=clock.now(), actor=None, project=cast.ops, fields=["name"]))
        write(cast, "created")
        assert heard_until(ears, "created") == ["created"]


def test_ring_wakes_at_once_where_the_poll_is_far(cast, tail, monkeypatch):
    monkeypatch.setattr(listening, "POLL_SECONDS", {"sqlite": 3600, "postgresql": 3600})
    with tail.ears() as ears:
        has_joined(ears)
        write(cast, "rung")
        tail.ring()
        assert heard_until(ears, "rung") == ["rung"]


def test_wake_lets_a_waiting_thread_go_on(cast, tail):
    with tail.ears() as ears:
        has_joined(ears)
        in_thread(ears.wake)
        assert ears.take(3600) is None


def test_feed_brings_news_to_a_coroutine(cast, tail):
    async def story() -> tuple[News | None, list[str]]:
        heard: list[str] = []
        with tail.feed() as feed:
            first = await feed.take(PATIENCE)
            await asyncio.to_thread(in_thread(lambda: [write(cast, f"w{n}") for n in range(5)]).join)
            while "w4" not in heard:
                news = await feed.take(PATIENCE)
                assert news is not None
                heard += words(news.events)
            assert await feed.take(0) is None
        return first, heard

    first, heard = asyncio.run(story())
    assert first is not None
    assert first.events == ()
    assert heard == ["w0", "w1", "w2", "w3", "w4"]


def test_feed_brings_together_what_came_since(cast, tail, monkeypatch):
    monkeypatch.setattr(listening, "BATCH", 1)

    async def story() -> None:
        with tail.feed() as feed, tail.ears() as ears:
            assert await feed.take(PATIENCE) is not None
            has_joined(ears)
            await asyncio.to_thread(in_thread(lambda: [write(cast, f"w{n}") for n in range(5)]).join)
            assert len(await asyncio.to_thread(heard_until, ears, "w4")) == 5
            news = await feed.take(PATIENCE)
            assert news is not None
            assert words(news.events) == ["w0", "w1", "w2", "w3", "w4"]
            assert news.place == Cursor.of(news.events[-1])
            assert await feed.take(0) is None

    asyncio.run(story())


def test_feed_that_takes_nothing_is_given_up_and_keeps_nobody_waiting(cast, tail, monkeypatch):
    monkeypatch.setattr(listening, "FEED_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(listening, "BATCH", 1)

    async def story() -> None:
        with tail.feed() as feed, tail.ears() as ears:
            assert await feed.take(PATIENCE) is not None
            has_joined(ears)
            await asyncio.to_thread(in_thread(lambda: [write(cast, f"w{n}") for n in range(30)]).join)
            assert len(await asyncio.to_thread(heard_until, ears, "w29")) == 30
            news = await feed.take(PATIENCE)
            assert news is not None
            assert words(news.events) == [f"w{n}" for n in range(listening.FEED_AHEAD)]
            with pytest.raises(FeedOverrun):
                await feed.take(PATIENCE)

    asyncio.run(story())


def test_hearer_that_fails_keeps_the_others_from_nothing(cast, tail, caplog):
    def fail(news: News) -> None:
        raise ValueError("mine alone")

    broken = tail.subscribe(fail)
    with tail.ears() as ears:
        has_joined(ears)
        write(cast, "heard")
        assert heard_until(ears, "heard") == ["heard"]
    broken.close()
    assert "News could not be handed over" in caplog.text


def test_outage_of_the_database_is_reported_once_and_nothing_is_missed(cast, tail, monkeypatch, caplog):
    monkeypatch.setattr(listening, "RETRY_SECONDS", 0.01)
    read_all, failures = listening.read_all, []
    away = threading.Event()

    def fail_for_a_while(*args):
        if away.is_set() and len(failures) < 5:
            failures.append(1)
            raise OperationalError("the server closed\nthe connection")
        return read_all(*args)

    monkeypatch.setattr(listening, "read_all", fail_for_a_while)
    with tail.ears() as ears:
        has_joined(ears)
        away.set()
        tail.ring()
        until = time.monotonic() + PATIENCE
        while not failures:
            assert time.monotonic() < until
            time.sleep(0.01)
        write(cast, "while away")
        assert heard_until(ears, "while away") == ["while away"]
    assert len(failures) == 5
    assert caplog.text.count("The stream waits for the database: the server closed the connection") == 1
    assert caplog.text.count("The database is back; the stream continues.") == 1


def test_carrier_is_open_while_somebody_listens(tail):
    opened, closed = threading.Event(), threading.Event()

    class Carrier:
        def __init__(self, ring) -> None:
            assert ring == tail.ring
            opened.set()

        def close(self) -> None:
            closed.set()

    tail.carriers.append(Carrier)
    with tail.ears():
        assert opened.wait(PATIENCE)
        assert not closed.is_set()
    assert closed.wait(PATIENCE)
