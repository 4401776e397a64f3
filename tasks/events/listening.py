"""Listening to events: one tail of the table per process, for everyone in it that waits for news.

A thread follows the events in order and hands each batch to all subscribers. The bell wakes it: this process's commits
ring it, and carriers bring the ring of other processes (``messaging`` adds one if there is Redis). A cheap poll is the
guarantee: a lost ring costs freshness, never an event. An outage of the database is logged once, and the tail continues
where it was.

Three ways to listen, each from a position on, in order, without gaps:

- ``listener.subscribe(hear)`` calls ``hear(news)`` in the listener's thread: quick, and without the database, because
  everybody else waits for it. Use ``loop.call_soon_threadsafe`` to pass it to a loop.
- ``listener.ears()`` is for a waiting thread: ``ears.take(timeout)`` returns the news since the last call.
- ``listener.feed()`` is for a coroutine: ``await feed.take(timeout)`` returns the next news.

Each takes ``kinds``, the kinds of events wanted (default: all). Each starts with news without events whose position is
where listening starts: read the table up to there (or further, which does no harm), and nothing is lost in between.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.db import connection

from tasks.errors import CursorExpired
from tasks.events.reading import Cursor, present_cursor, read_all
from tasks.events.recording import bell
from tasks.events.settled import settled
from tasks.models import Event
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

BATCH = 500
#: Pause between two looks under load: several events in one batch instead of one batch per event.
GATHER_SECONDS = 0.01
#: News of another process is at most this old if no carrier brings its bell. On SQLite the poll only checks whether
#: anything was written at all, which costs a few microseconds.
POLL_SECONDS = {"sqlite": 0.05, "postgresql": 0.25}
RETRY_SECONDS = 1.0
#: How soon to look again if the stream ends at a gap, which is usually filled within milliseconds: from, to.
GAP_SECONDS = (0.002, 0.1)
#: How much news may wait for a coroutine before the tail waits for it, and for how long the tail waits.
FEED_AHEAD = 8
FEED_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class News:
    """``events`` in order, and the position after everything read. Shared by all subscribers, so read-only.

    ``starts_over`` is set if the table is not the one followed before (a dump was restored): what was heard earlier may
    not have happened, and another history continues from ``place``.
    """

    events: Sequence[Event]
    place: Cursor
    starts_over: bool = False


Hear = Callable[[News], None]


class Closable(Protocol):
    def close(self) -> None: ...


#: Starts calling ``ring`` for all news from other processes, until what it returns is closed.
Carrier = Callable[[Callable[[], None]], Closable]


class Subscription:
    """A subscription; ``close`` ends it, from any thread, any number of times."""

    def __init__(self, listener: "Listener", hear: Hear, kinds: Collection[str] | None) -> None:
        self._listener = listener
        self._hear = hear
        self._kinds = None if kinds is None else frozenset(kinds)
        self.has_joined = False
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True
        self._listener.forget(self)

    def deliver(self, news: News) -> None:
        """In the listener's thread: pass on the wanted part of ``news``."""
        if self.is_closed:
            return
        if self._kinds is not None and news.events:
            chosen = [event for event in news.events if event.kind in self._kinds]
            if not chosen:
                return
            news = replace(news, events=chosen)
        try:
            self._hear(news)
        except Exception:
            logger.exception("News could not be handed over; the other subscribers have it.")


class Listener:
    """The process's single tail. Its thread runs, with a database connection, as long as there are subscribers."""

    def __init__(self) -> None:
        #: Set up once, when the apps are ready.
        self.carriers: list[Carrier] = []
        self._subscriptions: list[Subscription] = []
        self._mutex = threading.Lock()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None

    def subscribe(self, hear: Hear, *, kinds: Collection[str] | None = None) -> Subscription:
        """Have ``hear`` called, in the listener's thread, with all news from now on."""
        subscription = Subscription(self, hear, kinds)
        with self._mutex:
            self._subscriptions.append(subscription)
            # After a fork the thread exists only in the parent process.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
                self._thread.start()
        self._rung.set()
        return subscription

    def ears(self, *, kinds: Collection[str] | None = None) -> "Ears":
        """For a waiting thread; a context manager."""
        return Ears(self, kinds)

    def feed(self, *, kinds: Collection[str] | None = None) -> "Feed":
        """For a coroutine of the running loop; a context manager."""
        return Feed(self, kinds)

    def forget(self, subscription: Subscription) -> None:
        with self._mutex:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
        self._rung.set()

    def ring(self, **_: Any) -> None:
        """There is news: look at once."""
        self._rung.set()

    def _run(self) -> None:
        with ExitStack() as stack:
            stack.callback(connection.close)
            for carrier in self.carriers:
                stack.enter_context(closing(carrier(self.ring)))
            self._follow()

    def _follow(self) -> None:
        place: Cursor | None = None
        starts_over = False
        outage = Outage(logger, "The stream")
        pause = _Pause(self._rung)
        while self._is_wanted():
            self._rung.clear()
            try:
                pause.begin()
                if place is None:
                    place = present_cursor()
                    self._deliver(News((), place, starts_over=True), to=self._present() if starts_over else [])
                self._admit(place)
                events, place = read_all(place, BATCH)
            except CursorExpired:
                logger.warning("The events are from another database; the stream starts over from there.")
                place, starts_over = None, True
                continue
            except AWAY as error:
                outage.begin(error)
                time.sleep(RETRY_SECONDS)
                continue
            except Exception:
                logger.exception("The stream could not be read; trying again.")
                time.sleep(RETRY_SECONDS)
                continue
            outage.end()
            if events:
                self._deliver(News(events, place), to=self._present())
            if len(events) == BATCH:
                continue
            # The next look reports an outage in between.
            with suppress(*AWAY):
                pause.end(at_gap=settled.has_gap)

    @staticmethod
    def _deliver(news: News, *, to: Sequence[Subscription]) -> None:
        for subscription in to:
            subscription.deliver(news)

    def _is_wanted(self) -> bool:
        """Whether there are subscribers left; if not, the thread is released in the same step."""
        with self._mutex:
            if self._subscriptions:
                return True
            self._thread = None
            return False

    def _admit(self, place: Cursor) -> None:
        """Give new subscribers their starting position: what they hear from now on is after ``place``."""
        new = self._present(joined=False)
        self._deliver(News((), place), to=new)
        for subscription in new:
            subscription.has_joined = True

    def _present(self, *, joined: bool = True) -> list[Subscription]:
        with self._mutex:
            return [subscription for subscription in self._subscriptions if subscription.has_joined is joined]


class _Pause:
    """The pause between two looks at the table: until the bell rings, or it is time to look."""

    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung
        self._version: int | None = None
        self._gap_seconds = GAP_SECONDS[0]

    def begin(self) -> None:
        """Remember the state of the database before the table is read."""
        self._version = self._read()

    def end(self, *, at_gap: bool) -> None:
        """Return when it is time to look at the table, which is soon if ``at_gap``."""
        time.sleep(GATHER_SECONDS)
        if at_gap:
            self._rung.wait(self._gap_seconds)
            self._gap_seconds = min(2 * self._gap_seconds, GAP_SECONDS[1])
            return
        self._gap_seconds = GAP_SECONDS[0]
        while not self._rung.wait(POLL_SECONDS[connection.vendor]):
            if self._version is None or self._read() != self._version:
                return

    @staticmethod
    def _read() -> int | None:
        """The commits of other connections, which SQLite counts; None on PostgreSQL, which does not."""
        if connection.vendor != "sqlite":
            return None
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            return int(cursor.fetchone()[0])


class _Closing(AbstractContextManager):
    """Closes itself at the end of a ``with`` block."""

    def close(self) -> None:
        raise NotImplementedError

    def __exit__(self, *raised: object) -> None:
        self.close()


class Ears(_Closing):
    """A thread's way to listen: news is kept until it is taken."""

    def __init__(self, listener: Listener, kinds: Collection[str] | None) -> None:
        self._changed = threading.Condition()
        self._news: News | None = None
        self._is_woken = False
        self._subscription = listener.subscribe(self._hear, kinds=kinds)

    def _hear(self, news: News) -> None:
        with self._changed:
            kept = self._news.events if self._news is not None else ()
            self._news = News([*kept, *news.events], news.place)
            self._changed.notify_all()

    def take(self, timeout: float) -> News | None:
        """The news since the last call, at once if there is any, else the first within ``timeout`` seconds.

        None if none came in time, or ``wake`` was called.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._news is not None or self._is_woken, timeout)
            news, self._news = self._news, None
            self._is_woken = False
            return news

    def wake(self) -> None:
        """Make ``take`` return, now or at the next call."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def close(self) -> None:
        self._subscription.close()


class FeedOverrun(Exception):
    """The coroutine did not take its news for too long, so the tail continued without it; read from the table."""


class Feed(_Closing):
    """A coroutine's way to listen. Some news may wait for it; then the tail waits, and finally continues without it."""

    def __init__(self, listener: Listener, kinds: Collection[str] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Queue[News | None] = asyncio.Queue()
        #: Taken from the queue, but not to be told together with what came before.
        self._next: News | None = None
        self._is_overrun = False
        self._room = threading.Semaphore(FEED_AHEAD)
        self._subscription = listener.subscribe(self._hear, kinds=kinds)

    def _hear(self, news: News) -> None:
        if self._room.acquire(timeout=FEED_PATIENCE_SECONDS):
            self._post(news)
        elif not self._subscription.is_closed:
            self._subscription.close()
            self._post(None)

    def _post(self, news: News | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.put_nowait, news)
        except RuntimeError:
            # The loop has ended, and with it the listening coroutine.
            self._subscription.close()

    async def take(self, timeout: float | None = None) -> News | None:
        """The next news with all that came since; None if none came within ``timeout`` seconds.

        Raises ``FeedOverrun``.
        """
        news, self._next = self._next, None
        if news is None and not self._is_overrun:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    news = self._accept(await self._news.get())
        while news is not None and not self._news.empty():
            more = self._accept(self._news.get_nowait())
            if more is None or more.starts_over:
                self._next = more
                break
            news = News([*news.events, *more.events], more.place, news.starts_over)
        if news is None and self._is_overrun:
            raise FeedOverrun
        return news

    def _accept(self, news: News | None) -> News | None:
        """Make room for more; None, which is the last, says that the tail continued without this coroutine."""
        if news is None:
            self._is_overrun = True
        else:
            self._room.release()
        return news

    def close(self) -> None:
        self._subscription.close()
        # The tail may be waiting for room.
        self._room.release()


listener = Listener()
bell.connect(listener.ring, dispatch_uid="tasks.events.listening")
