"""Reading events after a cursor, in the order of their row ids, up to where the stream is complete (``settled``)."""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q

from tasks import clock
from tasks.errors import CursorExpired, Invalid
from tasks.events.narrowing import Narrowing
from tasks.events.settled import highest_id_given, settled
from tasks.models import Event
from tasks.querysets import EventQuerySet

FORM = re.compile(r"e[0-9]{1,18}")
#: A transaction id and a row id, as cursors were at first.
FORMER = re.compile(r"[0-9]+\.-?[0-9]+")

NOT_OURS = "It is not a cursor of ours; leave it out, or use the one of the last answer."


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the stream: everything up to and including the event with this row id has been read.

    Only of what is settled is there a cursor: no event with a lower id can come any more.
    """

    id: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"e{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, event: Event) -> "Cursor":
        """The place of ``event``: reading goes on behind it."""
        return cls(event.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises ``Invalid`` for what is not a cursor of ours, ``CursorExpired`` for one of an earlier version."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        except (ValueError, binascii.Error):
            raise Invalid({"after": NOT_OURS}) from None
        if FORMER.fullmatch(raw):
            raise CursorExpired(
                "This cursor is of an earlier version.", "Fetch what is there now and follow on from `after=now`."
            )
        if not FORM.fullmatch(raw):
            raise Invalid({"after": NOT_OURS})
        return cls(int(raw[1:]))


START = Cursor(0)
EVERYTHING = Narrowing()


def present_cursor() -> Cursor:
    """The place from which only news is read. What another transaction has recorded and not committed is news."""
    return Cursor(settled.place())


def first_kept() -> Cursor:
    """The place before the oldest event that is still replayed; older ones stay on record."""
    kept = Event.objects.filter(at__gte=clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS))
    oldest = kept.order_by("at").first()
    return START if oldest is None else Cursor(oldest.pk - 1)


def require_kept(after: Cursor) -> None:
    """Raise ``CursorExpired`` where events behind ``after`` are no longer replayed, or were never in this table."""
    _require_given(after)
    following = Event.objects.filter(pk__gt=after.id).in_order().values_list("at", flat=True).first()
    if following is not None and following < clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS):
        raise CursorExpired("This cursor is too old.", "Fetch what is there now and follow on from `after=now`.")


def _require_given(after: Cursor) -> None:
    """Raise ``CursorExpired`` where ``after`` lies beyond every id that this table has given.

    So it comes from another database, or from after the dump that was restored: everything would seem to be read.
    """
    if after.id > highest_id_given():
        raise CursorExpired(
            "This cursor is of another database.", "Fetch what is there now and follow on from `after=now`."
        )


def _read(events: EventQuerySet, after: Cursor, limit: int, until: Cursor | None = None) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` of ``events`` behind ``after``, and the cursor behind all that was looked at.

    ``until`` is a place that is known to be settled; left out, it is the present one. Raises ``CursorExpired`` where
    the table has never given an id as high as that of ``after``.
    """
    if until is None:
        until = present_cursor()
        if until < after:
            _require_given(after)
    if until <= after:
        return [], after
    rows = list(events.filter(pk__gt=after.id, pk__lte=until.id).in_order()[:limit])
    # Whether or not it was for this reader: all up to there has been looked at.
    return rows, Cursor.of(rows[-1]) if len(rows) == limit else until


def read_all(after: Cursor, limit: int) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events behind ``after``, whoever may see them, and the cursor to go on from."""
    return _read(Event.objects.all(), after, limit)


def read_kinds(kinds: Collection[str], after: Cursor, limit: int) -> tuple[list[Event], Cursor]:
    """Up to ``limit`` events of these kinds behind ``after``, whoever may see them, and the cursor to go on from.

    Others are stepped over by the database; a follower that wants few kinds does not load the rest.
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
        "id": str(event.pk),
        "at": event.at,
        "kind": event.kind,
        "project": event.project_key,
        "task": event.task_ref or None,
        "agent": event.agent_slug or None,
        "actor": event.actor_name or None,
        "data": event.data,
    }
