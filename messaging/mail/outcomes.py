"""Handing a message to the mail server, and what becomes of rows of the outbox afterwards."""

import logging
import random
import smtplib
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import django
from django.core import mail as django_mail
from django.core.mail import EmailMessage

from messaging.models import MailState
from messaging.models.outgoing import Outgoing
from taskproject.errors import shortened
from tasks import clock

logger = logging.getLogger(__name__)

#: Longer than any dialogue with a mail server that `EMAIL_TIMEOUT` lets go on.
CLAIM: Final = timedelta(minutes=5)
#: Delays of further attempts, in seconds: doubled each time up to the longest.
FIRST_DELAY, LONGEST_DELAY, ATTEMPTS = 30.0, 6 * 3600.0, 12
#: What a mail server or the way to it, or a message that cannot be one, raises.
FAILURES: Final = (smtplib.SMTPException, OSError, ValueError)


def deliver(message: EmailMessage) -> None:
    """Hand ``message`` to the mail server. Raises one of ``FAILURES``."""
    with closing(_connect()) as server:
        server.send_messages([message])


def _connect() -> Any:
    """A connection to the mail server, as this version of Django makes it."""
    return django_mail.get_connection() if django.VERSION < (6, 1) else django_mail.mailers.default


def end(mark: UUID, rows: Sequence[Outgoing], state: MailState, reason: str) -> None:
    """``rows``, of one kind and claimed with ``mark``, have ended, and keep nothing that was for sending alone."""
    # One statement: a row that waits is whole, so whoever takes over after a crash sends all of it.
    _claimed(mark, rows).update(
        state=state, reason=reason, ended_at=clock.now(), claim=None, claimed_until=None, **rows[0].emptied
    )


def try_again(mark: UUID, rows: Sequence[Outgoing], error: Exception) -> None:
    """Let the rows wait longer each time; those that were tried too often, or whose address is refused, have failed."""
    reason = shortened(f"{type(error).__name__}: {' '.join(str(error).split())}", 300)
    refused = isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        500 <= code < 600 for code, _ in error.recipients.values()
    )
    worn = [row for row in rows if refused or isinstance(error, ValueError) or row.attempts >= ATTEMPTS]
    if worn:
        logger.warning("A mail to %s was given up: %s", rows[0].recipient.get_username(), reason)
        end(mark, worn, MailState.FAILED, reason)
    attempts = min(row.attempts for row in rows)
    delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempts - 1)) * random.uniform(0.5, 1)
    _claimed(mark, rows).update(
        due_at=clock.now() + timedelta(seconds=delay), reason=reason, claim=None, claimed_until=None
    )


def _claimed(mark: UUID, rows: Sequence[Outgoing]) -> Any:
    model: Any = type(rows[0])
    return model.objects.filter(pk__in=[row.pk for row in rows], claim=mark, state=MailState.WAITING)
