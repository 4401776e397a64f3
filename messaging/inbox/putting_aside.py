"""Snoozing and archiving items, and bringing them back; each lasts until something new happens to the item."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from messaging.inbox.items import Item, State
from messaging.inbox.reading import find_item
from messaging.models import PutAside
from taskproject.errors import Invalid
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record

#: The longest time for which an item is snoozed.
LONGEST = timedelta(days=366)


def snooze_item(*, user: User, name: str, until: datetime) -> Item:
    """Hide the item with this id until then. Raises ``NotFound``, ``Invalid`` for a time that is not ahead."""
    now = clock.now()
    if until <= now:
        raise Invalid({"until": "It must lie ahead."})
    if until > now + LONGEST:
        raise Invalid({"until": "At most a year; archive it instead."})
    item = _put_aside(user, name, until, State.SNOOZED, now)
    item.until = until
    return item


def archive_item(*, user: User, name: str) -> Item:
    """Hide the item with this id for good, until it comes up again. Raises ``NotFound``."""
    return _put_aside(user, name, None, State.ARCHIVED, clock.now())


def restore_item(*, user: User, name: str) -> Item:
    """Show the item with this id again; one that was not put aside stays as it is. Raises ``NotFound``."""
    with transaction.atomic():
        item = find_item(user, name)
        head = item.head
        deleted, _ = PutAside.objects.filter(user=user, source=head.source, key=head.key).delete()
        if deleted:
            _record(user, item, State.ACTIVE, clock.now())
    item.state, item.until = State.ACTIVE, None
    return item


def _put_aside(user: User, name: str, until: datetime | None, state: State, now: datetime) -> Item:
    with transaction.atomic():
        item = find_item(user, name)
        PutAside.objects.update_or_create(
            user=user,
            source=item.head.source,
            key=item.head.key,
            defaults={"since": item.since, "until": until, "at": now},
        )
        _record(user, item, state, now)
    item.state = state
    return item


def _record(user: User, item: Item, state: State, now: datetime) -> None:
    """So that the reader's other pages know."""
    record(
        event(
            kinds.INBOX_CHANGED,
            at=now,
            actor=user,
            project=item.project,
            recipient=user,
            item=item.name,
            state=state.value,
        )
    )
