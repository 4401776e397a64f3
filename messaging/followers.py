"""Followers of the stream that have effects, each exactly once: notifications today, webhooks may be another.

A follower keeps its cursor in the database and moves it in the transaction of its effect, by an UPDATE that holds only
where the cursor is still what was read. So any number of engines may run each follower, and a process may be killed
anywhere: an effect and the step over its events are either both there or neither.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from messaging.models import FollowerCursor
from messaging.stream.bell import Ears
from tasks import clock
from tasks.events.reading import Cursor, present_cursor, read_kinds
from tasks.events.recording import bell, carry_order_over
from tasks.models import Event

logger = logging.getLogger(__name__)

BATCH = 200
#: After an effect the next events are gathered for so long: under load one transaction for many events.
GATHER_SECONDS = 0.1
#: What news of another process may be late by, where no Redis carries the bell.
POLL_SECONDS = 0.2
#: Steps over events without effect are written down so often; read again after a kill, they still have none.
STORE_EVERY_SECONDS = 10.0
RETRY_SECONDS = 5.0

#: Does what a batch of events asks for, inside the transaction that moves the cursor; returns how much it did.
Effect = Callable[[], int]


def follow_a_move() -> None:
    """After a dump was restored on another PostgreSQL: carry the order of events over, and the followers with it.

    What was recorded before the dump counts as handled, what came since does not.
    """
    if connection.in_atomic_block:
        # A transaction's own events look the same.
        return
    with transaction.atomic():
        last = carry_order_over()
        if last is None:
            return
        FollowerCursor.objects.update(transaction_id=0, event_id=last, moved_at=clock.now())
    logger.warning("The events come from another PostgreSQL; their order was carried over.")


class Follower:
    """Reads events of some ``kinds`` in the order of the stream and does, once, what they ask for.

    ``prepare`` gets events, outside of any transaction, and returns their ``Effect``, None where they have none. What
    it does must be quick: while it writes, the whole stream waits for its transaction.
    """

    def __init__(
        self, name: str, *, kinds: Collection[str], prepare: Callable[[Sequence[Event]], Effect | None]
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.prepare = prepare
        self._stored: Cursor | None = None
        self._place: Cursor | None = None
        self._store_at = 0.0

    def step(self) -> tuple[int, bool]:
        """Handle the next batch; returns how much its effect did, and whether there may be more at once."""
        stored = self._load()
        # Events without effect are passed in memory first, to spare a write for each.
        passed = self._place is not None and self._stored == stored
        place = max(stored, self._place) if passed and self._place else stored
        events, cursor = read_kinds(self.kinds, place, BATCH)
        more = len(events) == BATCH
        effect = self.prepare(events) if events else None
        if effect is None and (cursor == stored or time.monotonic() < self._store_at):
            self._stored, self._place = stored, cursor
            return 0, more
        with transaction.atomic():
            here = FollowerCursor.objects.filter(
                name=self.name, transaction_id=stored.transaction_id, event_id=stored.id
            )
            if not here.update(transaction_id=cursor.transaction_id, event_id=cursor.id, moved_at=clock.now()):
                # Another engine was faster; what is left is read from where it is now.
                self._place = None
                return 0, True
            done = effect() if effect is not None else 0
        self._stored = self._place = cursor
        self._store_at = time.monotonic() + STORE_EVERY_SECONDS
        return done, more

    def _load(self) -> Cursor:
        """Where the follower is. The very first one begins with the present: what was before is history, not news."""
        row = FollowerCursor.objects.filter(name=self.name).values_list("transaction_id", "event_id").first()
        if row is None:
            start = present_cursor()
            defaults = {"transaction_id": start.transaction_id, "event_id": start.id, "moved_at": clock.now()}
            created, _ = FollowerCursor.objects.get_or_create(name=self.name, defaults=defaults)
            row = created.transaction_id, created.event_id
        return Cursor(*row)

    def catch_up(self) -> int:
        """Handle all events there are now; returns how much was done."""
        follow_a_move()
        total, more = 0, True
        while more:
            done, more = self.step()
            total += done
        return total

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set, woken by the bell; an outage of the database is logged once and waited for."""
        news = threading.Event()

        def hear(**_: object) -> None:
            news.set()

        uid = f"messaging.follower.{self.name}.{id(news)}"
        bell.connect(hear, dispatch_uid=uid, weak=False)
        ears = Ears(news.set) if settings.REDIS_URL else None
        away = False
        moved = False
        try:
            while not stop.is_set():
                news.clear()
                try:
                    if not moved:
                        follow_a_move()
                        moved = True
                    done, more = self.step()
                    if away:
                        logger.warning("The database is back; %s go on.", self.name)
                    away = False
                except (DatabaseError, InterfaceError) as error:
                    if not away:
                        logger.warning(
                            "The database is away, %s wait: %s", self.name, " ".join(str(error).split())[:200]
                        )
                    away = True
                    connection.close()
                    stop.wait(1)
                except Exception:
                    # Nothing is skipped: the batch is tried again, and `doctor` tells how far behind this is.
                    logger.exception("%s could not be made; trying again.", self.name.capitalize())
                    stop.wait(RETRY_SECONDS)
                else:
                    if more:
                        continue
                    if done:
                        stop.wait(GATHER_SECONDS)
                    news.wait(POLL_SECONDS)
        finally:
            bell.disconnect(dispatch_uid=uid)
            if ears is not None:
                ears.close()
            connection.close()

    def waiting_since(self) -> datetime | None:
        """When the oldest event happened that this follower has yet to handle; None where it is up to date."""
        row = FollowerCursor.objects.filter(name=self.name).first()
        if row is None:
            return None
        events, _ = read_kinds(self.kinds, Cursor(row.transaction_id, row.event_id), 1)
        # Those without effect are passed in memory and written down now and then.
        grace = timedelta(seconds=2 * STORE_EVERY_SECONDS)
        return events[0].at if events and events[0].at < clock.now() - grace else None
