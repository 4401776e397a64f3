"""Fan-out: each event from the process's listener is serialised once and sent to every local follower.

Lives in the event loop of the ASGI server. Reads permissions and replays in one separate thread.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from messaging.stream.signals import Signals, Typing
from messaging.stream.visitors import Visitor, audit, standing, user_of
from taskproject.api.waiting import RETRY_AFTER_SECONDS
from taskproject.errors import TooManyRequests
from taskproject.strict_json import dumps
from tasks.events.kinds import OF_MEMBERS
from tasks.events.listening import Feed, FeedOverrun, listener
from tasks.events.narrowing import Narrowing
from tasks.events.reading import Cursor, event_output, read_events
from tasks.models import Event

logger = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 500
#: The longest pause after handing out, which is as long as that took: whatever comes meanwhile shares frames, and those
#: who bring news find the processor free.
MOST_GATHER_SECONDS = 0.015
#: How long a revoked permission may still let events through.
AUDIT_SECONDS = 2.0
RETRY_SECONDS = 1.0
#: How much may wait for a follower that does not read.
MOST_WAITING_BYTES = 1024 * 1024
MOST_WAITING_FRAMES = 1000
#: Signals are dropped beyond this.
MOST_SIGNALS_WAITING = 50
#: Larger batches are split: each socket copies the frame that it is writing.
MOST_FRAME_BYTES = 256 * 1024
#: Sockets and event streams of one caller in this process: pages, agents and scripts together.
MOST_STREAMS_OF_ONE = 250


class Batch:
    """Events for equal followers, each serialised, and the cursor after them."""

    __slots__ = ("_frame", "cursor", "events", "size")

    def __init__(self, events: Sequence[tuple[Cursor, bytes]], cursor: Cursor) -> None:
        self.events = events
        self.cursor = cursor
        self.size = sum(len(text) for _, text in events)
        self._frame: str | None = None

    def behind(self, place: Cursor) -> "Batch | None":
        """The part of this batch after ``place``; None if there is none."""
        if not self.events or self.events[-1][0] <= place:
            return None
        if self.events[0][0] > place:
            return self
        return Batch([event for event in self.events if event[0] > place], self.cursor)

    def frame(self) -> str:
        """All events as one websocket frame, built once for all sockets that get this batch."""
        if self._frame is None:
            events = b",".join(text for _, text in self.events).decode()
            self._frame = f'{{"type":"events","events":[{events}],"cursor":"{self.cursor}"}}'
        return self._frame


class Passing(Batch):
    """A signal among the batches: a frame that is no event, and has no place in their order."""

    __slots__ = ()

    def __init__(self, frame: str) -> None:
        super().__init__((), Cursor(0))
        self._frame, self.size = frame, len(frame)

    def behind(self, place: Cursor) -> Batch | None:
        return self


@dataclass(eq=False)
class Follower:
    """One open stream. Batches wait here until its writer takes them; a stream that reads too slowly is given up.

    ``signals``: which signals it asked for. ``here``: who is there, as it last heard, by project. ``typing``: what
    it signals by typing in a conversation, and until when that is kept.
    """

    visitor: Visitor
    narrowing: Narrowing
    signals: frozenset[str] = frozenset()
    here: dict[int, tuple[str, ...]] = field(default_factory=dict)
    typing: dict[str, tuple[float, Typing | None]] = field(default_factory=dict)
    waiting: deque[Batch] = field(default_factory=deque)
    waiting_bytes: int = 0
    ended: str | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, batches: Sequence[Batch]) -> None:
        """Accept the batches of one hand-out, of any size, unless too much is waiting from earlier ones."""
        if self.ended:
            return
        if self.waiting_bytes > MOST_WAITING_BYTES or len(self.waiting) > MOST_WAITING_FRAMES:
            return self.end("too_slow")
        self.waiting.extend(batches)
        self.waiting_bytes += sum(batch.size for batch in batches)
        self.woken.set()

    def pass_on(self, frame: str) -> None:
        """Accept a signal, unless anything much waits: it is not worth a stream."""
        if not self.ended and len(self.waiting) < MOST_SIGNALS_WAITING:
            self.waiting.append(Passing(frame))
            self.waiting_bytes += self.waiting[-1].size
            self.woken.set()

    def see_as(self, visitor: Visitor | None) -> None:
        """Continue with the visitor's current rights. One that lost a project must reload, since it shows too much."""
        if visitor is None:
            self.end("not_authenticated")
        elif visitor.projects is not None and (
            self.visitor.projects is None or self.visitor.projects - visitor.projects
        ):
            self.end("membership_ended")
        else:
            self.visitor = visitor

    def end(self, reason: str) -> None:
        """Give the stream up as ``too_slow``, ``not_authenticated``, ``membership_ended`` or ``stopping``.

        What waited is dropped.
        """
        self.ended = reason
        self.waiting.clear()
        self.waiting_bytes = 0
        self.woken.set()

    async def take(self) -> Batch | None:
        """The next batch; None once the stream has ended, see ``ended``."""
        while not self.waiting:
            if self.ended:
                return None
            self.woken.clear()
            await self.woken.wait()
        batch = self.waiting.popleft()
        self.waiting_bytes -= batch.size
        return batch


def serialise(events: Sequence[Event]) -> list[tuple[Cursor, bytes]]:
    return [(Cursor.of(event), dumps(event_output(event))) for event in events]


def in_batches(events: Sequence[tuple[Cursor, bytes]], cursor: Cursor) -> list[Batch]:
    """Batches of at most ``MOST_FRAME_BYTES`` (or one event), the last of them with ``cursor``."""
    batches, begin, size = [], 0, 0
    for place, (_, text) in enumerate(events):
        if size and size + len(text) > MOST_FRAME_BYTES:
            batches.append(Batch(events[begin:place], events[place - 1][0]))
            begin, size = place, 0
        size += len(text)
    if events:
        batches.append(Batch(events[begin:], cursor))
    return batches


def may_see(visitor: Visitor, event: Event) -> bool:
    if visitor.projects is not None and event.project_id not in visitor.projects:
        return False
    return event.recipient_id is None or visitor.user_id in (event.recipient_id, event.actor_id)


class Hub:
    """The process's fan-out. ``follow`` joins it; it listens as long as there are followers."""

    def __init__(self) -> None:
        self.followers: set[Follower] = set()
        self._streams: dict[tuple[int, int | None], set[Follower]] = {}
        self.cursor: Cursor | None = None
        self.signals = Signals(self)
        #: Whether the server is stopping: whoever enters now is sent away at once.
        self.is_stopping = False
        self._reader: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub")

    async def in_thread(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run ``work`` in the hub's own thread, with its persistent database connection; replaces a broken one."""

        def run() -> T:
            # As before a request: a connection that broke while nobody used it is noticed and replaced.
            close_old_connections()
            try:
                return work(*args, **kwargs)
            except (DatabaseError, InterfaceError):
                connections.close_all()
                raise

        return await sync_to_async(run, thread_sensitive=False, executor=self._thread)()

    async def in_thread_once_it_can(self, work: Callable[..., T], *args: Any) -> T:
        """``in_thread``, repeated until the database answers. The listener reports the outage."""
        while True:
            try:
                return await self.in_thread(work, *args)
            except (DatabaseError, InterfaceError):
                await asyncio.sleep(RETRY_SECONDS)

    def enter(self, follower: Follower) -> None:
        """Count a stream of its caller, before anything is sent. Raises ``TooManyRequests``; ``leave`` ends it."""
        streams = self._streams.setdefault(follower.visitor.caller, set())
        if len(streams) >= MOST_STREAMS_OF_ONE:
            raise TooManyRequests(
                f"{MOST_STREAMS_OF_ONE} streams of yours are open here already.",
                "Close one first.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        streams.add(follower)
        if self.is_stopping:
            follower.end("stopping")

    async def follow(self, follower: Follower) -> Cursor:
        """Hand ``follower`` every event from now on; returns the position from which it does."""
        self._require_running()
        while self.cursor is None:
            await asyncio.sleep(0.005)
            # The last of the others may have left, and with it the reader.
            self._require_running()
        self.followers.add(follower)
        self.signals.joined(follower)
        return self.cursor

    def has(self, user_id: int) -> bool:
        """Whether this user follows the stream here, in this process; from any thread."""
        # A copy, which Python makes in one step: the event loop changes the set.
        return any(follower.visitor.user_id == user_id for follower in list(self.followers))

    def leave(self, follower: Follower) -> None:
        self.followers.discard(follower)
        streams = self._streams.get(follower.visitor.caller, set())
        streams.discard(follower)
        if not streams:
            self._streams.pop(follower.visitor.caller, None)
            self.signals.forget(follower.visitor.caller)
        if not self.followers:
            self.stop()

    def stop(self) -> None:
        """End the reader; the next follower starts another."""
        if self._reader is not None:
            self._reader.cancel()
        self.signals.stop()
        self._reader = None
        self.cursor = None
        self._thread.submit(connections.close_all)

    def close(self) -> None:
        """Send everybody away who has entered, even those whose stream has yet to begin."""
        for follower in [follower for streams in self._streams.values() for follower in streams]:
            follower.end("stopping")
        self.stop()

    def close_for_good(self) -> None:
        """The server is stopping: whoever is just being let in is sent away too."""
        self.is_stopping = True
        self.close()

    def _require_running(self) -> None:
        if self._reader is None or self._reader.done():
            self.cursor = None
            self.signals.stop()
            self._reader = asyncio.get_running_loop().create_task(self._run())
            self.signals.start()

    async def _run(self) -> None:
        """Hand out what is heard. If that fails, every follower is sent away, to come back with its cursor."""
        try:
            with listener.feed() as feed:
                await self._hand_on(feed)
        except FeedOverrun:
            logger.warning("The event loop is too busy to hand events out; followers come back for them.")
            self.close()
        except Exception:
            logger.exception("The stream failed; followers come back for the rest.")
            self.close()

    async def _hand_on(self, feed: Feed) -> None:
        loop = asyncio.get_running_loop()
        next_audit = loop.time() + AUDIT_SECONDS
        while True:
            news = await feed.take(max(0.0, next_audit - loop.time()))
            events = news.events if news is not None else ()
            if any(event.kind in OF_MEMBERS for event in events) or loop.time() >= next_audit:
                await self._audit()
                next_audit = loop.time() + AUDIT_SECONDS
            if news is not None and news.starts_over:
                # They come back with their cursor, and learn that it is no longer valid.
                for follower in list(self.followers):
                    follower.end("stopping")
            if news is not None:
                began = loop.time()
                self._hand_out(events, news.place)
                self.cursor = news.place
                # Let the followers write: in the first step their tasks wake, in the second they run.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await asyncio.sleep(min(loop.time() - began, MOST_GATHER_SECONDS))

    async def _audit(self) -> None:
        """Update every follower's permissions; send away those that have none. Those that stay count as seen.

        While the database is down nobody is handed anything.
        """
        now = await self.in_thread_once_it_can(audit, [follower.visitor for follower in self.followers])
        for follower in list(self.followers):
            follower.see_as(now.get(follower.visitor, follower.visitor))

    def _hand_out(self, events: Sequence[Event], cursor: Cursor) -> None:
        """Offer each follower what it may see and wants; equal followers share one batch."""
        texts = serialise(events)
        # The recipients of private events; all others still share their batches.
        addressed = {
            user for event in events if event.recipient_id is not None for user in (event.recipient_id, event.actor_id)
        }
        made: dict[Any, list[Batch]] = {}
        for follower in list(self.followers):
            visitor, narrowing = follower.visitor, follower.narrowing
            alike = (visitor.projects, narrowing, visitor.user_id if visitor.user_id in addressed else None)
            if alike not in made:
                chosen = [
                    text
                    for event, text in zip(events, texts, strict=True)
                    if narrowing.takes(event) and may_see(visitor, event)
                ]
                made[alike] = in_batches(chosen, cursor)
            if batches := made[alike]:
                follower.offer(batches)

    async def stream(self, follower: Follower, after: Cursor | None) -> AsyncIterator[Batch]:
        """All that ``follower`` may see after ``after`` (None: from now on), in order, without gaps or repeats.

        Replays from the table in pages until little is left, then joins the hub, then reads the rest up to the position
        where the hub took over; an empty batch gives that position. Ends with the follower, see its ``ended``.
        """
        full = after is not None
        while after is not None and full:
            batches, after, full = await self._replayed(follower, after, None)
            for batch in batches:
                yield batch
        if follower.ended:
            return
        joined = await self.follow(follower)
        place: Cursor = joined if after is None else after
        full = joined > place
        while full:
            batches, place, full = await self._replayed(follower, place, joined)
            for batch in batches:
                yield batch
        if follower.ended:
            return
        yield Batch([], place)
        while (taken := await follower.take()) is not None:
            # The replay may have read further than the hub: what it delivered is not sent again.
            if rest := taken.behind(place):
                yield rest

    async def _replayed(
        self, follower: Follower, after: Cursor, until: Cursor | None
    ) -> tuple[list[Batch], Cursor, bool]:
        """``_replay`` for a follower that is still authorised: a long history is no way around a lost permission."""
        visitor, batches, cursor, full = await self.in_thread_once_it_can(_replay, follower, after, until)
        follower.see_as(visitor)
        return ([], after, False) if follower.ended else (batches, cursor, full)


def _replay(
    follower: Follower, after: Cursor, until: Cursor | None
) -> tuple[Visitor | None, list[Batch], Cursor, bool]:
    """The follower's visitor as of now (None: no longer authorised), a page of the table for them, the cursor after it,
    and whether there may be more.
    """
    visitor = standing([follower.visitor])[follower.visitor]
    if visitor is None:
        return None, [], after, False
    events, cursor = read_events(
        user=user_of(visitor), after=after, limit=BATCH, narrowing=follower.narrowing, until=until
    )
    return visitor, in_batches(serialise(events), cursor), cursor, len(events) == BATCH


hub = Hub()
