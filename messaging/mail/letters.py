"""Letters: what another app puts into the outbox whole, in its own transaction, and how it is sent.

Another app does not import this: the site hands it ``post``.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, Q

from messaging.mail.addresses import address_of
from messaging.mail.outcomes import CLAIM, FAILURES, deliver, end, try_again
from messaging.mail.relevance import is_address
from messaging.mail.writing import harmless, host_of_sender, in_one_line, unsubscribe_headers
from messaging.models import Letter, MailState
from tasks import clock
from tasks.models import Project

#: Of one look at the outbox.
MOST: Final = 100
LONGEST_TEXT: Final = 4_000


def post(
    *,
    recipient: Any,
    key: str,
    subject: str,
    text: str,
    path: str = "",
    projects: Sequence[int] = (),
    stop: str = "",
    file: tuple[str, str, bytes] | None = None,
) -> None:
    """Put a mail to ``recipient`` into the outbox, in the caller's transaction.

    ``key`` is unique to what it tells. ``subject`` and ``text`` may have words of others in them. ``path`` is a page of
    ours, and ``stop`` one that ends such mails by a POST, without signing in. ``file``: name, content type and bytes;
    it goes out only while the recipient sees all ``projects`` (ids).
    """
    name, content_type, content = file or ("", "", None)
    now = clock.now()
    Letter.objects.create(
        recipient=recipient, key=key, subject=in_one_line(subject), text=text[:LONGEST_TEXT], path=path, stop_path=stop,
        projects=list(projects), file_name=name, content_type=content_type, content=content,
        created_at=now, due_at=now,
    )  # fmt: skip


def outcomes_of(keys: Sequence[str]) -> dict[str, str]:
    """By ``key``, what has become of letters, a sentence each; those that were deleted since are left out."""
    return {letter.key: _outcome(letter) for letter in Letter.objects.filter(key__in=keys).defer("content", "text")}


def _outcome(letter: Letter) -> str:
    if letter.state == MailState.SENT:
        done = "handed to the mail server" if settings.SENDS_MAIL else "printed, since this server sends none"
        return f"The mail was {done}."
    if letter.state == MailState.WAITING:
        return f"The mail waits to be sent again. {letter.reason}" if letter.reason else "The mail waits to be sent."
    return f"The mail was not sent. {letter.reason}"


def send_letters() -> int:
    """Send the letters that are due now, each by one sender; returns how many were sent."""
    now = clock.now()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    waiting = Letter.objects.filter(free, state=MailState.WAITING, due_at__lte=now)
    return sum(_take_and_send(pk) for pk in list(waiting.order_by("due_at", "pk").values_list("pk", flat=True)[:MOST]))


def _take_and_send(pk: int) -> int:
    mark, now = uuid4(), clock.now()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    taken = Letter.objects.filter(free, pk=pk, state=MailState.WAITING).update(
        claim=mark, claimed_until=now + CLAIM, attempts=F("attempts") + 1
    )
    if not taken:
        return 0
    letter = Letter.objects.select_related("recipient").get(pk=pk)
    if reason := _why_not(letter):
        end(mark, [letter], MailState.DROPPED, reason)
        return 0
    try:
        deliver(_message_of(letter))
    except FAILURES as error:
        try_again(mark, [letter], error)
        return 0
    end(mark, [letter], MailState.SENT, "")
    return 1


def _why_not(letter: Letter) -> str:
    if not letter.recipient.is_active:
        return "The account is disabled."
    if not is_address(letter.recipient.email):
        return "The account has no valid e-mail address."
    seen = Project.objects.visible_to(letter.recipient).filter(pk__in=letter.projects)
    if letter.projects and seen.count() < len(set(letter.projects)):
        return "Its recipient no longer sees a project whose figures it has."
    return ""


def _message_of(letter: Letter) -> EmailMessage:
    address = address_of(letter.path) if letter.path else ""
    stop = address_of(letter.stop_path) if letter.stop_path else ""
    lines = [harmless(letter.text, LONGEST_TEXT), *([address] if address else []), "", "-- "]
    lines.append(f"To {letter.recipient.get_username()}, from taskproject.")
    if stop:
        lines.append(f"No more of these e-mails: {stop}")
    message = EmailMessage(
        subject=letter.subject,
        body="\n".join(lines) + "\n",
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[letter.recipient.email],
        headers={
            # The same after a crash, so that what is sent again is recognised.
            "Message-ID": f"<taskproject.letter.{letter.pk}.{letter.created_at:%Y%m%d%H%M%S%f}@{host_of_sender()}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            **unsubscribe_headers(stop),
        },
    )
    if letter.content is not None:
        message.attach(letter.file_name, bytes(letter.content), letter.content_type)
    return message
