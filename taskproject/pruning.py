"""Deleting what is past its retention: in small batches, beside everything else that reads and writes.

Apps declare what they keep for how long (``Retention``); the project lists them in ``retentions``. ``manage.py prune``
deletes all that is past, an engine one batch at a time (``Sweeper``). Any number of both may run: a batch is a
transaction that chooses from the rows which nobody has locked. Whoever is killed leaves whole batches behind, and the
next one goes on.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from taskproject.models import IdempotencyKey, KeptCount, Pruned, SignIn

#: Rows of a batch: on both databases a few hundredths of a second, for which SQLite lets nobody else write.
BATCH: Final = 500
#: The least rest between two batches, longer than a writer of another process waits between two tries.
REST_SECONDS: Final = 0.02
#: How long ``prune`` waits for rows that others have locked, since it deleted the last.
PATIENCE_SECONDS: Final = 5.0
#: How often an engine begins a round.
ROUND_SECONDS: Final = 600.0


def delete_rows(rows: QuerySet) -> int:
    """Delete ``rows`` by one statement, without looking at what refers to them; returns how many.

    Django's own would read them first where anything may refer to them. The database still refuses to leave a
    reference behind that it knows of.
    """
    # None where it knows without asking that there are none.
    return int(rows.order_by()._raw_delete(rows.db) or 0)


@dataclass(frozen=True)
class Retention:
    """Rows of one kind that are kept for a time, given in words by ``keeps``.

    ``past``: those to delete now, in an order in which an index gives them. ``delete``: deletes rows chosen from these,
    with what belongs to them; returns how many rows of this kind.
    """

    name: str
    keeps: str
    past: Callable[[], QuerySet[Any]]
    delete: Callable[[QuerySet[Any]], int] = delete_rows

    def prune_batch(self, size: int = BATCH) -> int:
        """Delete up to ``size`` rows in a transaction of its own; returns how many: none if none is left unlocked."""
        if not self.is_left():
            return 0
        with transaction.atomic():
            # Chosen here, not before: then all who prune at once would look at the same rows.
            past = self.past()
            if connection.features.has_select_for_update_skip_locked:
                past = past.select_for_update(skip_locked=True, of=("self",))
            ids = list(past.values_list("pk", flat=True)[:size])
            return self.delete(past.model._default_manager.filter(pk__in=ids)) if ids else 0

    def is_left(self) -> bool:
        """Whether anything is past, locked or not; without a lock."""
        return self.past().exists()

    def prune(self, *, progress: Callable[[int], None] = lambda count: None) -> int:
        """Delete all that is past, batch by batch, and note it; returns how many.

        What others have locked is waited for, up to ``PATIENCE_SECONDS``; if it is still there then, nothing is noted.
        """
        total = 0
        for count in self._batches():
            total += count
            progress(count)
        if not self.is_left():
            note(self.name, total)
        return total

    def _batches(self) -> Iterator[int]:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            began = time.monotonic()
            count = self.prune_batch()
            if count:
                until = time.monotonic() + PATIENCE_SECONDS
                yield count
            elif time.monotonic() > until or not self.is_left():
                return
            # Others write for at least as long as this did.
            time.sleep(max(REST_SECONDS, time.monotonic() - began))


def note(name: str, removed: int) -> None:
    """Note that all rows of this kind that were past are deleted now."""
    Pruned.objects.update_or_create(name=name, defaults={"at": timezone.now(), "removed": removed})


class Sweeper:
    """Deletes what is past a batch at a time, kind after kind; then it rests until the next round."""

    def __init__(self, kinds: Sequence[Retention]) -> None:
        self._kinds = kinds
        self._left: deque[Retention] = deque()
        self._removed = 0
        self._rests_until = 0.0

    def step(self) -> int:
        """Delete one batch at most; returns how many rows. If it raises, the next step goes on with the next kind."""
        if not self._left:
            if time.monotonic() < self._rests_until:
                return 0
            self._left.extend(self._kinds)
            self._rests_until = time.monotonic() + ROUND_SECONDS
        kind, removed, self._removed = self._left.popleft(), self._removed, 0
        count = kind.prune_batch()
        if count:
            self._left.appendleft(kind)
            self._removed = removed + count
        elif not kind.is_left():
            note(kind.name, removed)
        return count


def _end_sessions(rows: QuerySet[Any]) -> int:
    keys = list(rows.values_list("pk", flat=True))
    delete_rows(SignIn.objects.filter(session_key__in=keys))
    return delete_rows(rows)


#: What the ground floor itself keeps.
OWN: Final = (
    Retention(
        "idempotency keys",
        "answers under an Idempotency-Key: 24 hours",
        lambda: IdempotencyKey.objects.outdated().order_by("created_at"),
    ),
    Retention(
        "counts",
        "counts of wrong passwords: until they limit nothing any more",
        lambda: KeptCount.objects.past().order_by("until"),
    ),
    Retention(
        "sessions",
        "browsers that are signed in: until their session expires",
        lambda: Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date"),
        _end_sessions,
    ),
)

#: Everything that is kept for a time. Filled by the project, which knows all apps.
retentions: list[Retention] = []
