"""Reading events after a cursor, in an order in which nothing is skipped.

On PostgreSQL ids are taken before commit, so a reader that follows ``id > cursor`` can pass a row that commits later.
Events are therefore ordered by ``(transaction id, id)`` and read only below the oldest transaction that still runs.
On SQLite one transaction writes at a time: the transaction id is 0, ids are the commit order.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q

from tasks.errors import Invalid
from tasks.models import Event, Task


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the stream: everything up to and including it has been read."""

    transaction_id: int
    id: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.transaction_id}.{self.id}".encode()).decode().rstrip("=")

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


# The first transaction id that was not yet given away when the statement began, or the oldest one that still runs in
# this database, whichever is lower. pg_stat_activity shows 32-bit ids; they are brought back next to the 64-bit one.
HORIZON = """
WITH given AS MATERIALIZED (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax)
SELECT least(
    xmax,
    (SELECT min(xmax - ((xmax - backend_xid::text::bigint) & 4294967295))
     FROM pg_stat_activity
     WHERE backend_xid IS NOT NULL
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


def read_events(
    *,
    user: User,
    after: Cursor = START,
    limit: int = 100,
    project: str | None = None,
    task: Task | None = None,
    kinds: Sequence[str] = (),
) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events after ``after`` that ``user`` may see, in order, and the cursor to go on from.

    ``project`` is a key, ``kinds`` exact names. An event with a recipient is for them and its actor.
    """
    horizon = _horizon()
    events = Event.objects.visible_to(user).filter(
        Q(transaction_id__gt=after.transaction_id) | Q(transaction_id=after.transaction_id, id__gt=after.id),
        # Repeats the first condition in a form that an index range can use.
        transaction_id__gte=after.transaction_id,
    )
    if horizon is not None:
        events = events.filter(transaction_id__lt=horizon)
    events = events.filter(Q(recipient__isnull=True) | Q(recipient=user) | Q(actor=user))
    if project:
        events = events.filter(project_key=project.upper())
    if task:
        events = events.filter(task=task)
    if kinds:
        events = events.filter(kind__in=list(kinds))
    rows = list(events.in_order()[:limit])
    if len(rows) == limit:
        return rows, Cursor(rows[-1].transaction_id, rows[-1].pk)
    if horizon is not None:
        # All below the horizon has been looked at, whether or not it was for this reader.
        return rows, max(after, Cursor(horizon, -1))
    return rows, Cursor(0, rows[-1].pk) if rows else after


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
