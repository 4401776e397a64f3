"""Sending the mails that the follower wrote: by any number of engines, each mail by one of them.

A sender claims the rows of one recipient by a conditional UPDATE, for as long as sending may take, makes the message of
what the recipient may see now, sends it, and marks the rows. If it is killed between sending and marking, the claim
lapses and the mail is sent again, with the same ``Message-ID``: at least once, since a notice that never arrives costs
more than one that comes twice.
"""

import logging
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import F, Q

from messaging.mail.letters import send_letters
from messaging.mail.outcomes import CLAIM, FAILURES, deliver, end, try_again
from messaging.mail.relevance import Relevant, relevant
from messaging.mail.writing import MOST_NOTICES, message_of, notice_of
from messaging.models import Mail, MailState, NotificationKind
from tasks import clock
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
#: How many rows one mail takes in.
MOST: Final = 1000
#: After a mail, what is not a question is gathered this long for the next.
GAP: Final = timedelta(minutes=1)
#: What never waits for other mails.
AT_ONCE: Final = (NotificationKind.QUESTION_FOR_ME,)


def due(now: datetime) -> list[tuple[int, bool]]:
    """Whom something is due for, and whether it is their digest; the longest overdue first."""
    recent = Mail.objects.filter(state=MailState.SENT, ended_at__gt=now - GAP, daily=False)
    waiting = Mail.objects.filter(state=MailState.WAITING, due_at__lte=now)
    free = waiting.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now))
    rests = Q(daily=False, recipient__in=recent.order_by().values("recipient")) & ~Q(kind__in=AT_ONCE)
    rows = free.exclude(rests).order_by("due_at").values_list("recipient", "daily")[:MOST]
    return list(dict.fromkeys(rows))


def claim(recipient: int, daily: bool, now: datetime) -> UUID | None:
    """Take what is due for ``recipient``; returns what it is marked with, or None if another sender was faster."""
    mark = uuid4()
    waiting = Mail.objects.filter(recipient=recipient, daily=daily, state=MailState.WAITING, due_at__lte=now)
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    ids = list(waiting.filter(free).order_by("pk").values_list("pk", flat=True)[:MOST])
    # The condition is asked again by the UPDATE, which waits for whoever changes the row.
    taken = Mail.objects.filter(free, pk__in=ids, state=MailState.WAITING).update(
        claim=mark, claimed_until=now + CLAIM, attempts=F("attempts") + 1
    )
    return mark if taken else None


def send_due() -> int:
    """Send everything that is due now; returns how many mails were sent."""
    now = clock.now()
    sent = 0
    for recipient, daily in due(now):
        mark = claim(recipient, daily, now)
        if mark is not None:
            sent += _send(mark)
    return sent


def _send(mark: UUID) -> int:
    mails = list(Mail.objects.filter(claim=mark).select_related("recipient", "event__task").order_by("event"))
    kept, dropped = relevant(mails)
    for reason, rows in dropped.items():
        end(mark, rows, MailState.DROPPED, reason)
    if not kept:
        return 0
    here = [each.mail for each in kept]
    try:
        _deliver(kept)
    except FAILURES as error:
        try_again(mark, here, error)
        return 0
    end(mark, here, MailState.SENT, "")
    return 1


def _deliver(kept: Sequence[Relevant]) -> None:
    notices = [notice_of(each.mail, each.questions) for each in kept[:MOST_NOTICES]]
    message = message_of([each.mail for each in kept], notices, more=len(kept) - len(notices))
    deliver(message)


class Mailer:
    """The companion of the engine that sends mails."""

    name = "mails"

    def catch_up(self) -> int:
        return send_due() + send_letters()

    def run(self, stop: threading.Event) -> None:
        """Send what is due until ``stop`` is set; an outage of the database is logged once."""
        outage = Outage(logger, "Sending mails")
        with closing(connection):
            while not stop.is_set():
                try:
                    send_due()
                    send_letters()
                    outage.end()
                except AWAY as error:
                    outage.begin(error)
                except Exception:
                    logger.exception("Mails could not be sent; trying again.")
                stop.wait(LOOK_SECONDS)


mailer = Mailer()
