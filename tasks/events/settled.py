"""How far the stream is complete: the id up to which no more events can appear.

Events are ordered by row id. A verb records its events after taking its locks, so ids follow what happened: what
committed before another transaction recorded its event comes before it. But on PostgreSQL an id is assigned before its
transaction commits: a reader may see 10 while 9 is still uncommitted, or was rolled back and never appears.

As long as no id is missing, everything visible is settled. If one is missing, only a transaction that is running now
can fill the gap. An INSERT takes a RowExclusiveLock on the table before it takes its ids, and a transaction keeps the
lock until others can see what it wrote. So ``pg_locks`` lists all transactions that may fill a gap, and the gap is
passed once those that held the lock when it was first seen have ended. Their number only shrinks: transactions that
start later, with any gaps of their own, do not delay it further. A transaction that writes no events delays nobody.

On SQLite one transaction writes at a time: ids are in commit order, and nothing is missing.
"""

import threading
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from taskproject.prepared.querysets import prepared
from tasks.models import EngineState, Event

#: How many ids one look reads to see whether any is missing.
LOOK = 1000
#: Stands for every transaction prepared for two-phase commit. A transaction loses its name when it is prepared, so it
#: cannot be recognised as one that was there at the start: all of them count. Django prepares none.
PREPARED = "prepared"

# pg_locks shows fast-path locks too. A virtual transaction id is not reused while the server runs, and a restart ends
# all transactions. This transaction sees what it wrote itself, so it does not wait for itself.
HOLDERS = """
SELECT CASE WHEN pid IS NULL THEN %s ELSE virtualtransaction END
FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
  AND relation = %s::regclass
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND pid IS DISTINCT FROM pg_backend_pid()
"""


@dataclass(frozen=True)
class Gap:
    """Missing ids up to ``top``, which only ``holders`` may still fill."""

    top: int
    holders: frozenset[str]

    def narrowed(self, running: frozenset[str]) -> "Gap":
        """The gap when only the transactions in ``running`` hold the table's lock."""
        return Gap(self.top, running & (self.holders | {PREPARED}))


@dataclass(frozen=True)
class Known:
    """What is known: all ids up to ``place`` are settled; after it there may be a gap."""

    place: int
    gap: Gap | None = None

    def joined(self, other: "Known") -> "Known":
        """The combined knowledge of two concurrent looks."""
        if self.place != other.place:
            return max(self, other, key=lambda known: known.place)
        if self.gap is None or other.gap is None:
            return self if self.gap else other
        if self.gap.top != other.gap.top:
            # The gap seen first is passed first.
            return min(self, other, key=lambda known: known.gap.top if known.gap else 0)
        return Known(self.place, Gap(self.gap.top, self.gap.holders & other.gap.holders))


@prepared
def _newest() -> QuerySet[Event, Any]:
    return Event.objects.order_by("-pk").values_list("pk", flat=True)[:1]


def newest_id() -> int:
    """The highest id of a visible event; 0 if there is none."""
    return _newest.first() or 0


def highest_id_given() -> int:
    """The highest id ever assigned in this table, even if rolled back: deleting events does not lower it."""
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        else:
            cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", [table])
        row = cursor.fetchone()
    return (row[0] if row else 0) or 0


def ids_at_a_time() -> int:
    """How many ids a session takes from the sequence at once; more than one would be given out late, out of order."""
    if connection.vendor != "postgresql":
        return 1
    with connection.cursor() as cursor:
        table = Event._meta.db_table
        cursor.execute(
            "SELECT seqcache FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence(%s, 'id')::regclass", [table]
        )
        return int(cursor.fetchone()[0])


def holders() -> frozenset[str]:
    """The other running transactions that have written events or are about to."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, [PREPARED, Event._meta.db_table])
        return frozenset(name for (name,) in cursor.fetchall())


def advance(known: Known, newest: int) -> Known:
    """What is known after another look at the table, in which ``newest`` was seen before.

    The order of the queries is the proof: a transaction that may fill an id below ``newest`` took its lock before that
    could be seen. So it is among the holders read afterwards, or has ended, and then a later query sees what it wrote.
    """
    if newest <= known.place:
        return Known(known.place)
    place = _without_gap(known.place)
    if place >= newest:
        return Known(place)
    running = holders()
    gap = known.gap
    if gap is not None and gap.top > place:
        gap = gap.narrowed(running)
        if gap.holders:
            return Known(place, gap)
        place = _without_gap(gap.top)
        if place >= newest:
            return Known(place)
    return Known(place, Gap(newest, running)) if running else Known(newest)


@prepared
def _ids_after(place: Any) -> QuerySet[Event, Any]:
    return Event.objects.filter(pk__gt=place).in_order().values_list("pk", flat=True)[:LOOK]


def _without_gap(place: int) -> int:
    """The last id that follows ``place`` without a gap, among the next ``LOOK``."""
    for pk in _ids_after.all(place=place):
        if pk != place + 1:
            break
        place = pk
    return place


class Settled:
    """What this process knows, shared by all its readers."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._mutex = threading.Lock()

    @property
    def has_gap(self) -> bool:
        """Whether the last look ended at a gap, so that it is worth looking again soon."""
        known = self._known
        return known is not None and known.gap is not None

    def extend_to(self, place: int) -> None:
        """Somebody has seen every id up to ``place`` from one on that was settled."""
        known = self._known
        # Events of this transaction look committed, which nobody else may rely on.
        if known is None or place <= known.place or connection.in_atomic_block:
            return
        with self._mutex:
            self._known = Known(place).joined(self._known or known)

    def place(self) -> int:
        """The id up to which all events can be read. Reads the database."""
        newest = newest_id()
        if connection.vendor != "postgresql":
            return newest
        known = self._known
        if known is not None and newest < known.place and highest_id_given() < known.place:
            # The table was replaced by another, such as that of an older dump.
            known = self._known = None
        if known is not None:
            known_now = advance(known, newest)
        elif not holders():
            known_now = Known(newest)
        else:
            known_now = advance(Known(_place_of_the_engines()), newest)
        if connection.in_atomic_block:
            # Events of this transaction look committed, which nobody else may rely on.
            return known_now.place
        with self._mutex:
            self._known = known_now if self._known is None else self._known.joined(known_now)
            return self._known.place


def _place_of_the_engines() -> int:
    """The starting point of a process that knows nothing yet: an engine stores every second how far it knows."""
    return EngineState.objects.values_list("settled_event_id", flat=True).first() or 0


settled = Settled()
