"""Reading events after a cursor, in an order in which nothing is skipped.

On PostgreSQL ids are taken before commit, so a reader that follows ``id > cursor`` can pass a row that commits later.
Events are therefore ordered by ``(transaction id, id)`` and read only below the oldest transaction that still runs.
On SQLite one transaction writes at a time: the transaction id is 0, ids are the commit order.
"""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q

from tasks import clock
from tasks.errors import CursorExpired, Invalid
from tasks.events.narrowing import Narrowing
from tasks.models import Event
from tasks.querysets import EventQuerySet


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the stream: everything up to and including it has been read."""

    transaction_id: int
    id: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.transaction_id}.{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, event: Event) -> "Cursor":
        """The place of ``event``: reading goes on behind it."""
        return cls(event.transaction_id, event.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises ``Invalid`` for what is no cursor of ours."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            transaction_id, _, event_id = raw.partition(".")
            cursor = cls(int(transaction_id), int(event_id))
        except (ValueError, binascii.Error):
            raise Invalid(
                {"after": "It is no cursor of ours; leave it out, or use the one of the last answer."}
            ) from None
        if not (0 <= cursor.transaction_id < 2**63 and -1 <= cursor.id < 2**63):
            raise Invalid({"after": "It is no cursor of ours; leave it out, or use the one of the last answer."})
        return cursor


START = Cursor(0, -1)
EVERYTHING = Narrowing()


# The first transaction id that was not yet given away when the statement began, or the oldest one that still runs in
# this database, whichever is lower. pg_stat_activity shows 32-bit ids; they are brought back next to the 64-bit one.
# An id that was given away since then seems to lie far behind it (2**31 and more); it lies ahead and does not count.
HORIZON = """
WITH given AS MATERIALIZED (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax)
SELECT least(
    xmax,
    (SELECT min(xmax - ((xmax - backend_xid::text::bigint) & 4294967295))
     FROM pg_stat_activity
     WHERE backend_xid IS NOT NULL
       AND ((xmax - backend_xid::text::bigint) & 4294967295) < 2147483648
       AND datid = (SELECT oid FROM pg_database WHERE datname = current_database()))
) FROM given
"""


def _horizon() -> int | None:
    """The oldest transaction that may still commit an event; None on SQLite, where what is seen is all there is.

    Read before the events: whatever is below has ended by then, so the events' snapshot sees all of it. Transactions
    of other databases of the cluster do not count, else a backup next door would hold the stream up.
    """
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            # Inside a transaction PostgreSQL would show the activity as it was when first asked.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(HORIZON)
        return cursor.fetchone()[0]


def present_cursor() -> Cursor:
    """The place from which only news is read."""
    horizon = _horizon()
    if horizon is not None:
        return Cursor(horizon, -1)
    newest = Event.objects.order_by("-id").values_list("id", flat=True).first()
    return Cursor(0, newest or 0)


def first_kept() -> Cursor:
    """The place before the oldest event that is still replayed; older ones stay on record."""
    kept = Event.objects.filter(at__gte=clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS))
    oldest = kept.order_by("at").first()
    return START if oldest is None else Cursor(oldest.transaction_id, oldest.pk - 1)


def require_kept(after: Cursor) -> None:
    """Raise ``CursorExpired`` where events behind ``after`` are no longer replayed, or where it comes from another
    PostgreSQL, whose transactions had higher ids: there everything would seem to have been read.
    """
    if after.transaction_id > 0 and after.transaction_id > present_cursor().transaction_id:
        raise CursorExpired(
            "This cursor is of another database.", "Fetch what is there now and follow from `after=now`."
        )
    following = _behind(Event.objects.all(), after).in_order().values_list("at", flat=True).first()
    if following is not None and following < clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS):
        raise CursorExpired("This cursor is too old.", "Fetch what is there now and follow on from `after=now`.")


def _behind(events: EventQuerySet, after: Cursor) -> EventQuerySet:
    return events.filter(
        Q(transaction_id__gt=after.transaction_id) | Q(transaction_id=after.transaction_id, id__gt=after.id),
        # Repeats the first condition in a form that an index range can use.
        transaction_id__gte=after.transaction_id,
    )


def _read(events: EventQuerySet, after: Cursor, limit: int, until: Cursor | None = None) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` of ``events`` behind ``after``, and the cursor behind all that was looked at."""
    horizon = _horizon() if until is None else None
    events = _behind(events, after)
    if until is not None:
        events = events.filter(
            Q(transaction_id__lt=until.transaction_id) | Q(transaction_id=until.transaction_id, id__lte=until.id)
        )
    elif horizon is not None:
        events = events.filter(transaction_id__lt=horizon)
    rows = list(events.in_order()[:limit])
    if len(rows) == limit:
        return rows, Cursor.of(rows[-1])
    if until is not None:
        return rows, max(after, until)
    if horizon is not None:
        # All below the horizon has been looked at, whether or not it was for this reader.
        return rows, max(after, Cursor(horizon, -1))
    return rows, Cursor.of(rows[-1]) if rows else after


def read_all(after: Cursor, limit: int) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events behind ``after``, whoever may see them, and the cursor to go on from."""
    return _read(Event.objects.all(), after, limit)


def read_kinds(kinds: Collection[str], after: Cursor, limit: int) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events of these kinds behind ``after``, whoever may see them, and the cursor to go on from.

    Others are stepped over by the database; a follower that wants few kinds does not load the rest.
    """
    until = present_cursor()
    if until <= after:
        return [], after
    return _read(Event.objects.filter(kind__in=sorted(kinds)), after, limit, until)


def read_events(
    *,
    user: User,
    after: Cursor = START,
    limit: int = 100,
    narrowing: Narrowing = EVERYTHING,
    until: Cursor | None = None,
) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events behind ``after`` that ``user`` may see, in order, and the cursor to go on from.

    ``until`` is a place that was read up to already. An event with a recipient is for them and its actor.
    """
    events = Event.objects.visible_to(user)
    events = events.filter(Q(recipient__isnull=True) | Q(recipient=user) | Q(actor=user))
    if narrowing.project is not None:
        events = events.filter(project_key=narrowing.project)
    if narrowing.task_id is not None:
        events = events.filter(task=narrowing.task_id)
    if narrowing.kinds:
        events = events.filter(kind__in=list(narrowing.kinds))
    return _read(events, after, limit, until)


def event_output(event: Event) -> dict[str, Any]:
    """One event as ``api.md`` shapes it; needs no further query."""
    return {
        "id": f"{event.transaction_id}-{event.pk}",
        "at": event.at,
        "kind": event.kind,
        "project": event.project_key,
        "task": event.task_ref or None,
        "agent": event.agent_slug or None,
        "actor": event.actor_name or None,
        "data": event.data,
    }
