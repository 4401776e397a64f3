"""Followers of the stream whose effects happen exactly once: notifications, and the deliveries of webhooks.

A follower keeps its cursor in the database and moves it in the transaction of its effect, by an UPDATE conditional on
the cursor still being the one read. So any number of engines may run each follower, and a process may be killed at any
time: an effect and the step over its events either both exist or neither does.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from datetime import datetime, timedelta

from django.db import connection, transaction

from messaging.models import FollowerCursor
from tasks import clock
from tasks.errors import CursorExpired
from tasks.events.listening import Ears, listener
from tasks.events.reading import Cursor, present_cursor, read_kinds
from tasks.models import Event
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

BATCH = 200
#: After an effect, events are gathered for this long: under load, one transaction for many events.
GATHER_SECONDS = 0.1
#: How late a follower may notice that it should stop.
STOP_SECONDS = 0.2
#: How often steps over events without effect are stored; if read again after a kill, they still have none.
STORE_EVERY_SECONDS = 10.0
RETRY_SECONDS = 5.0

#: Applies the effect of a batch of events, inside the transaction that moves the cursor; returns how much it did.
Effect = Callable[[], int]


class Follower:
    """Reads events of certain ``kinds`` in stream order and applies their effects exactly once.

    ``prepare`` gets events, outside any transaction, and returns their ``Effect``, or None. The effect must be quick:
    events recorded after its own wait for its transaction. ``gathers``: also where nothing has an effect, events are
    gathered before the next step, for a follower of kinds that happen all the time.
    """

    def __init__(
        self,
        name: str,
        *,
        kinds: Collection[str],
        prepare: Callable[[Sequence[Event]], Effect | None],
        gathers: bool = False,
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.prepare = prepare
        self.gathers = gathers
        self._stored: Cursor | None = None
        self._place: Cursor | None = None
        self._store_at = 0.0

    def step(self) -> tuple[int, bool]:
        """Handle the next batch; returns how much its effect did, and whether there may be more at once."""
        stored = self._load()
        # Events without effect are first passed in memory, to avoid a write for each.
        passed = self._place is not None and self._stored == stored
        place = max(stored, self._place) if passed and self._place else stored
        try:
            events, cursor = read_kinds(self.kinds, place, BATCH)
        except CursorExpired:
            # A dump was restored meanwhile; what was passed in memory was in another table.
            self._place = None
            raise
        more = len(events) == BATCH
        effect = self.prepare(events) if events else None
        if effect is None and (cursor == stored or time.monotonic() < self._store_at):
            self._stored, self._place = stored, cursor
            return 0, more
        with transaction.atomic():
            here = FollowerCursor.objects.filter(name=self.name, event_id=stored.id)
            if not here.update(event_id=cursor.id, moved_at=clock.now()):
                # Another engine was faster; continue from where it is now.
                self._place = None
                return 0, True
            done = effect() if effect is not None else 0
        self._stored = self._place = cursor
        self._store_at = time.monotonic() + STORE_EVERY_SECONDS
        return done, more

    def _load(self) -> Cursor:
        """The follower's position. The very first one starts at the present: what was before is history, not news."""
        place = FollowerCursor.objects.filter(name=self.name).values_list("event_id", flat=True).first()
        if place is None:
            defaults = {"event_id": present_cursor().id, "moved_at": clock.now()}
            place = FollowerCursor.objects.get_or_create(name=self.name, defaults=defaults)[0].event_id
        return Cursor(place)

    def catch_up(self) -> int:
        """Handle all current events; returns how much was done."""
        total, more = 0, True
        while more:
            done, more = self.step()
            total += done
        return total

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set, woken by the listener; an outage of the database is logged once."""
        outage = Outage(logger, f"The follower {self.name}")
        with closing(connection), listener.ears(kinds=self.kinds) as ears:
            while not stop.is_set():
                try:
                    done, more = self.step()
                    outage.end()
                except AWAY as error:
                    outage.begin(error)
                    stop.wait(1)
                except Exception:
                    # Nothing is skipped: the batch is tried again, and `doctor` shows how far behind this is.
                    logger.exception("%s could not be made; trying again.", self.name.capitalize())
                    stop.wait(RETRY_SECONDS)
                else:
                    if more:
                        continue
                    if done or self.gathers:
                        stop.wait(GATHER_SECONDS)
                    self._wait(ears, stop)

    @staticmethod
    def _wait(ears: Ears, stop: threading.Event) -> None:
        """Return once there are events of these kinds, or periodically, so that the position is stored."""
        end = time.monotonic() + STORE_EVERY_SECONDS
        while not stop.is_set() and time.monotonic() < end:
            if ears.take(STOP_SECONDS) is not None:
                return

    def waiting_since(self) -> datetime | None:
        """The time of the oldest event that this follower has yet to handle; None if it is up to date."""
        row = FollowerCursor.objects.filter(name=self.name).first()
        if row is None:
            return None
        events, _ = read_kinds(self.kinds, Cursor(row.event_id), 1)
        # Events without effect are passed in memory and stored only periodically.
        grace = timedelta(seconds=2 * STORE_EVERY_SECONDS)
        return events[0].at if events and events[0].at < clock.now() - grace else None
