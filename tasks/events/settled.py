"""How far the stream is complete: the id up to which no event can come any more.

Events are ordered by row id. A verb records its events after it has taken its locks, so ids follow what happened: what
committed before another began its event stands before it. But on PostgreSQL an id is taken before its transaction
commits: a reader may see 10 while 9 is still on its way, or was rolled back and never comes.

As long as no id is missing, all that is seen is settled. Where one is missing, only a transaction that runs now can
fill the gap. An INSERT takes a RowExclusiveLock on the table before it takes its ids, and a transaction keeps the lock
until others can see what it wrote. So ``pg_locks`` names all that may fill a gap, and the gap is passed once those have
ended who were there when it was first seen. They only become fewer: other transactions that come meanwhile, with
whatever gaps of their own, delay it no further. A transaction that writes no events delays nobody.

On SQLite one transaction writes at a time: ids are the order of commits, and what is seen is all there is.
"""

import threading
from dataclasses import dataclass

from django.db import connection
from django.db.models import Max

from tasks.models import EngineState, Event

#: Ids that one look reads to see whether any is missing.
LOOK = 1000
#: Stands for every transaction that was prepared for two-phase commit. One loses its name when it is prepared, so it
#: cannot be recognised as one that was there at the beginning: all of them count. Django prepares none.
PREPARED = "prepared"

# pg_locks shows fast-path locks too. A virtual transaction id is not given again while the server runs; its restart
# ends all transactions. What this very transaction wrote it sees, so it waits for nothing of its own.
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
    """Ids up to ``top`` are missing, which ``holders``, and no other transactions, may still fill."""

    top: int
    holders: frozenset[str]

    def narrowed(self, running: frozenset[str]) -> "Gap":
        """The gap as it is when, of all transactions, only those in ``running`` hold the table."""
        return Gap(self.top, running & (self.holders | {PREPARED}))


@dataclass(frozen=True)
class Known:
    """What is known: all ids up to ``place`` are settled; behind it, perhaps, is a gap."""

    place: int
    gap: Gap | None = None

    def joined(self, other: "Known") -> "Known":
        """What is known from two looks at the same time."""
        if self.place != other.place:
            return max(self, other, key=lambda known: known.place)
        if self.gap is None or other.gap is None:
            return self if self.gap else other
        if self.gap.top != other.gap.top:
            # The gap that was seen first is passed first.
            return min(self, other, key=lambda known: known.gap.top if known.gap else 0)
        return Known(self.place, Gap(self.gap.top, self.gap.holders & other.gap.holders))


def newest_id() -> int:
    """The highest id of an event that can be seen; 0 where there is none."""
    return Event.objects.aggregate(newest=Max("pk"))["newest"] or 0


def highest_id_given() -> int:
    """The highest id that an event of this table ever had, or nearly got: deleting events does not lower it."""
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        else:
            cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", [table])
        row = cursor.fetchone()
    return (row[0] if row else 0) or 0


def holders() -> frozenset[str]:
    """The other transactions that have written events, or are about to, and have not ended."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, [PREPARED, Event._meta.db_table])
        return frozenset(name for (name,) in cursor.fetchall())


def advance(known: Known, newest: int) -> Known:
    """What is known after another look at the table, in which ``newest`` was seen before.

    The order of the queries is the proof: whoever may fill an id below ``newest`` took its lock before that could be
    seen. So it is among the holders asked for afterwards, or has ended, and then a later query sees what it wrote.
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


def _without_gap(place: int) -> int:
    """The last of the ids that follow ``place`` with none missing, of the next ``LOOK``."""
    for pk in Event.objects.filter(pk__gt=place).order_by("pk").values_list("pk", flat=True)[:LOOK]:
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
        """Whether the last look ended at a gap: then it is worth looking again soon."""
        known = self._known
        return known is not None and known.gap is not None

    def place(self) -> int:
        """The id up to which all events are there to be read. Reads the database."""
        newest = newest_id()
        if connection.vendor != "postgresql":
            return newest
        known = self._known
        if known is not None and newest < known.place and highest_id_given() < known.place:
            # The table was replaced by another, such as that of an earlier dump.
            known = self._known = None
        if known is None:
            known = Known(_place_of_the_engines())
        found = advance(known, newest)
        if connection.in_atomic_block:
            # Events of this transaction look as if they were committed; nobody else may rely on it.
            return found.place
        with self._mutex:
            self._known = found if self._known is None else self._known.joined(found)
            return self._known.place


def _place_of_the_engines() -> int:
    """Where a process begins that knows nothing yet: an engine writes down each second how far it knows."""
    return EngineState.objects.values_list("settled_event_id", flat=True).first() or 0


settled = Settled()
