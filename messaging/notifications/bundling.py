"""One notification for a burst: what one actor causes of one kind, for one person in one project, within a minute.

Each event keeps a row of its own, so that it is made once; of a burst the first row is the head, and it alone is shown,
counted and announced. Fewer than ``BURST`` stay as they are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Final

from django.db.models import F

from messaging.models import Notification, NotificationKind

#: From how many on they are shown as one.
BURST: Final = 5
WINDOW: Final = timedelta(seconds=60)


def bundle(new: Sequence[Notification]) -> list[Notification]:
    """Fold bursts among the unread, to which ``new`` were just added; returns the older heads that count more now.

    ``new`` get their ``head`` and ``bundled``. Call it in the transaction that stored them, of which there is one at a
    time: the effect of a follower.
    """
    fresh = {notification.pk: notification for notification in new}
    grown = []
    for first, others in _bursts(new):
        ids = [notification.pk for notification in others]
        Notification.objects.filter(pk__in=ids).update(head=first)
        Notification.objects.filter(pk=first.pk).update(bundled=F("bundled") + len(ids))
        first.bundled += len(ids)
        for pk in fresh.keys() & set(ids):
            fresh[pk].head_id = first.pk
        if first.pk in fresh:
            fresh[first.pk].bundled = first.bundled
        else:
            grown.append(first)
    return grown


def _bursts(new: Sequence[Notification]) -> Iterator[tuple[Notification, list[Notification]]]:
    """The head of each burst, and those that are not behind it yet."""
    # Each invitation is answered by itself.
    unread = Notification.objects.unread().heads().exclude(kind=NotificationKind.INVITED)
    near = unread.filter(
        recipient__in={notification.recipient_id for notification in new},
        kind__in={notification.kind for notification in new},
        project__in={notification.project_id for notification in new},
        at__gte=min(notification.at for notification in new) - WINDOW,
    )
    # Locked in the order in which readers lock: whoever reads the head now, reads it before or after it grows.
    rows = near.annotate(actor=F("event__actor")).select_for_update(of=("self",), no_key=True).order_by("pk")
    alike = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.at, row.pk)):
        alike[row.recipient_id, row.kind, row.project_id, row.actor].append(row)
    for left in alike.values():
        while left:
            first, end = left[0], left[0].at + WINDOW
            others = list(takewhile(lambda row, end=end: row.at <= end and row.bundled == 1, left[1:]))  # type: ignore[misc]
            left = left[1 + len(others) :]
            if others and (first.bundled > 1 or len(others) + 1 >= BURST):
                yield first, others
