"""Reading events after a cursor, in row id order, up to where the stream is complete (``settled``)."""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Min, Q

from taskproject.prepared.querysets import prepared
from tasks import clock
from tasks.errors import CursorExpired, Invalid
from tasks.events.narrowing import Narrowing
from tasks.events.settled import highest_id_given, settled
from tasks.models import Event
from tasks.querysets import EventQuerySet

FORM = re.compile(r"e[0-9]{1,18}")
#: A transaction id and a row id, as in the first version of cursors.
FORMER = re.compile(r"[0-9]+\.-?[0-9]+")

NOT_OURS = "It is not one of our cursors; leave it out, or use the one from the last answer."


@dataclass(frozen=True, order=True)
class Cursor:
    """A position in the stream: everything up to and including the event with this row id has been read.

    Cursors exist only for settled events: no event with a lower id can appear any more.
    """

    id: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"e{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, event: Event) -> "Cursor":
        """The position of ``event``: reading continues after it."""
        return cls(event.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises ``Invalid`` for anything but one of our cursors, ``CursorExpired`` for one of an earlier version."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        except (ValueError, binascii.Error):
            raise Invalid({"after": NOT_OURS}) from None
        if FORMER.fullmatch(raw):
            raise CursorExpired(
                "This cursor is from an earlier version.", "Fetch the current state and follow from `after=now`."
            )
        if not FORM.fullmatch(raw):
            raise Invalid({"after": NOT_OURS})
        return cls(int(raw[1:]))


START = Cursor(0)
EVERYTHING = Narrowing()


def present_cursor() -> Cursor:
    """The position after which only new events are read, including uncommitted ones of other transactions."""
    return Cursor(settled.place())


#: Ids do not follow times exactly: a verb that waits for a lock, or a long import, records its events later than they
#: are dated. No event is dated further from one with a nearby id than this, unless the database's clock was set.
DISORDER = timedelta(hours=1)


def replayed_since() -> datetime:
    """Events that are dated later are replayed."""
    return clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS)


def lowest_since(moment: datetime) -> int | None:
    """The lowest id of the events that are dated ``moment`` or later; None if there are none."""
    later = Event.objects.filter(at__gte=moment).order_by("at")
    oldest = later.values_list("at", flat=True).first()
    if oldest is None:
        return None
    lowest: int = later.filter(at__lte=oldest + DISORDER).aggregate(lowest=Min("pk"))["lowest"]
    return lowest


def first_kept() -> Cursor:
    """The position before every event that is still replayed; older ones stay on record."""
    # Before the look: what comes after it is new, even if the look sees it or an earlier id is still uncommitted.
    present = present_cursor()
    lowest = lowest_since(replayed_since())
    return present if lowest is None else min(present, Cursor(lowest - 1))


def require_kept(after: Cursor) -> None:
    """Raise ``CursorExpired`` if events after ``after`` are no longer replayed, or were never in this table.

    Events are replayed a little longer than promised: a reader that starts at the oldest is not overtaken by time, nor
    stopped by an event that is dated before its neighbours.
    """
    _require_given(after)
    following = Event.objects.filter(pk__gt=after.id).in_order().values_list("at", flat=True).first()
    if following is not None and following < replayed_since() - DISORDER:
        raise CursorExpired("This cursor is too old.", "Fetch the current state and follow from `after=now`.")


def _require_given(after: Cursor) -> None:
    """Raise ``CursorExpired`` if ``after`` is beyond every id that this table has assigned.

    Such a cursor is from another database, or newer than a restored dump: everything would seem to have been read.
    """
    if after.id > highest_id_given():
        raise CursorExpired(
            "This cursor is from another database.", "Fetch the current state and follow from `after=now`."
        )


def _read(events: EventQuerySet, after: Cursor, limit: int, until: Cursor | None = None) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` of ``events`` after ``after``, and the cursor after everything examined.

    ``until`` is a position known to be settled (default: the current one). Raises ``CursorExpired`` if the table has
    never assigned an id as high as that of ``after``.
    """
    if until is None:
        until = present_cursor()
        if until < after:
            _require_given(after)
    if until <= after:
        return [], after
    rows = list(events.filter(pk__gt=after.id, pk__lte=until.id).in_order()[:limit])
    # Everything up to there has been examined, whether or not it was for this reader.
    return rows, Cursor.of(rows[-1]) if len(rows) == limit else until


@prepared
def _from(place: Any, *, most: int) -> EventQuerySet:
    """The event at ``place`` and what follows."""
    return Event.objects.filter(pk__gte=place).in_order()[:most]


def read_all(after: Cursor, limit: int) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events after ``after``, whoever may see them, and the cursor to continue from."""
    rows = _from.all(place=after.id, most=limit + 1)
    # This is asked for at each news and each poll: where no id is missing, one statement tells all.
    if rows and rows[0].pk == after.id and _is_complete(rows):
        settled.extend_to(rows[-1].pk)
        return rows[1:], Cursor.of(rows[-1])
    return _read(Event.objects.all(), after, limit)


def _is_complete(rows: list[Event]) -> bool:
    """Whether nothing can appear between these events any more, of which the first is settled."""
    return connection.vendor != "postgresql" or rows[-1].pk - rows[0].pk == len(rows) - 1


def read_kinds(kinds: Collection[str], after: Cursor, limit: int) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events of these kinds after ``after``, whoever may see them, and the cursor to continue from.

    The database skips the others; a follower of few kinds does not load the rest.
    """
    return _read(Event.objects.filter(kind__in=sorted(kinds)), after, limit)


def read_events(
    *,
    user: User,
    after: Cursor = START,
    limit: int = 100,
    narrowing: Narrowing = EVERYTHING,
    until: Cursor | None = None,
) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events after ``after`` that ``user`` may see, in order, and the cursor to continue from.

    ``until`` is a position already read up to. An event with a recipient is visible to them and its actor.
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
    """One event as the API shows it; needs no further query."""
    return {
        "id": str(event.pk),
        "at": event.at,
        "kind": event.kind,
        "project": event.project_key,
        "task": event.task_ref or None,
        "agent": event.agent_slug or None,
        "actor": event.actor_name or None,
        "data": event.data,
    }
