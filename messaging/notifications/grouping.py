"""One row for what belongs together: what happens to one task, and what happens of one kind in one project.

Unread notifications of one recipient in one project are shown as one row if they come close in time:

- those about the same task, from the second on: the row says what happened last, and how much came before;
- rows whose last is of one kind, from the ``ALIKE``-th on: the row says how many tasks.

What asks for an answer of its own (``ALONE``) stands by itself, so that nothing later hides it. Each event keeps a row
in the table, so that it is made once; of a group the first row is the head, and it alone is listed, counted, announced
and read for all.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Q

from messaging.models import Grouped, Notification, NotificationKind

#: From how many rows of a kind on they are shown as one.
ALIKE: Final = 3
#: What comes later than this after the last of a group begins a new row,
CLOSE: Final = timedelta(minutes=10)
#: and so does what comes later than this after its first.
SPAN: Final = timedelta(hours=1)
ALONE: Final = frozenset(
    {
        NotificationKind.INVITED,
        NotificationKind.QUESTION_FOR_ME,
        NotificationKind.MENTION,
        NotificationKind.UNDELIVERED,
        NotificationKind.WEBHOOK_DISABLED,
    }
)


class _Row:
    """An unread row as it stands while new ones are taken in."""

    def __init__(self, head: Notification, last_at: datetime) -> None:
        self.head = head
        self.last_at = last_at
        self.taken: list[Notification] = []

    def takes(self, at: datetime) -> bool:
        """Whether what happened at ``at`` is close enough in time."""
        return at <= self.last_at + CLOSE and at <= self.head.at + SPAN

    def take(self, row: "_Row", grouped: Grouped) -> None:
        """Put another row with all that is behind it behind this one."""
        head, other = self.head, row.head
        head.bundled += other.bundled
        head.grouped = grouped
        if other.last_event_id > head.last_event_id:
            head.last_event_id, head.last_kind, self.last_at = other.last_event_id, other.last_kind, row.last_at
        self.taken += [other, *row.taken]
        for behind in (other, *row.taken):
            behind.head_id = head.pk


class _Rows:
    """The rows of one recipient in one project, oldest first."""

    def __init__(self) -> None:
        self.rows: dict[int, _Row] = {}

    def add(self, row: _Row) -> None:
        self.rows[row.head.pk] = row

    def place(self, new: Notification) -> None:
        """Put ``new`` where it belongs, or give it a row of its own."""
        row = _Row(new, new.at)
        same = self._about_the_task_of(row)
        if same is not None:
            same.take(row, Grouped.TASK)
            row = same
        else:
            self.add(row)
        self._pile(row)

    def _about_the_task_of(self, row: _Row) -> _Row | None:
        task = row.head.task_id
        if task is None:
            return None
        return next((each for each in self._open(row) if each.head.task_id == task and not _is_pile(each)), None)

    def _pile(self, row: _Row) -> None:
        """Put ``row`` with others of the kind of what happened last, if they are enough."""
        alike = [each for each in self._open(row) if each is not row and each.head.last_kind == row.head.last_kind]
        pile = next((each for each in reversed(alike) if _is_pile(each)), None)
        if pile is not None:
            self._fold(row, pile)
        elif len(alike) + 1 >= ALIKE:
            first, *others = sorted([*alike, row], key=lambda each: each.head.pk)
            for other in others:
                self._fold(other, first)

    def _open(self, row: _Row) -> list[_Row]:
        """Those to which ``row`` is close enough."""
        return [each for each in self.rows.values() if each.takes(row.last_at)]

    def _fold(self, row: _Row, into: _Row) -> None:
        del self.rows[row.head.pk]
        into.take(row, Grouped.KIND)


def _is_pile(row: _Row) -> bool:
    return row.head.grouped == Grouped.KIND


def group(new: Sequence[Notification]) -> list[Notification]:
    """Group the unread ones, to which ``new`` were just added; returns the older heads that stand for more now.

    ``new`` get their ``head`` and what heads say. Call it in the transaction that stored them, of which there is one at
    a time: the effect of a follower.
    """
    candidates = [notification for notification in new if notification.kind not in ALONE]
    if not candidates:
        return []
    fresh = {notification.pk for notification in new}
    places = _present(candidates, fresh)
    before = {row.head.pk: row.head.bundled for rows in places.values() for row in rows.rows.values()}
    for notification in sorted(candidates, key=lambda each: (each.event_id, each.pk)):
        places[notification.recipient_id, notification.project_id].place(notification)
    rows = [row for rows in places.values() for row in rows.rows.values()]
    changed = [row.head for row in rows if row.head.bundled > 1 and row.head.bundled != before.get(row.head.pk)]
    _store(rows, changed)
    return [head for head in changed if head.pk not in fresh]


def _present(candidates: Iterable[Notification], fresh: Iterable[int]) -> dict[tuple[int, int], _Rows]:
    """The unread rows that something could still join, by recipient and project, oldest first."""
    candidates = list(candidates)
    unread = Notification.objects.unread().heads().exclude(kind__in=ALONE).exclude(pk__in=list(fresh))
    near = unread.filter(
        recipient__in={notification.recipient_id for notification in candidates},
        project__in={notification.project_id for notification in candidates},
        at__gte=min(notification.at for notification in candidates) - SPAN,
    )
    # Locked in the order in which readers lock: whoever reads the head now, reads it before or after it grows.
    rows = near.annotate(last_at=F("last_event__at")).select_for_update(of=("self",), no_key=True).order_by("pk")
    places: dict[tuple[int, int], _Rows] = defaultdict(_Rows)
    for row in sorted(rows, key=lambda row: (row.at, row.pk)):
        places[row.recipient_id, row.project_id].add(_Row(row, row.last_at))
    return places


def _store(rows: Iterable[_Row], changed: Sequence[Notification]) -> None:
    for row in rows:
        ids = [behind.pk for behind in row.taken]
        for start in range(0, len(ids), 500):
            here = ids[start : start + 500]
            # What stood for others hands them on.
            Notification.objects.filter(Q(pk__in=here) | Q(head__in=here)).update(head=row.head)
    if changed:
        Notification.objects.bulk_update(changed, ["bundled", "grouped", "last_event", "last_kind"], batch_size=100)
