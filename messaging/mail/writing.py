"""What a mail says: its subject, its text and its HTML, of what others wrote nothing but words.

What somebody wrote is data: line breaks never reach a header, HTML is escaped, and addresses are written so that mail
programs make no links of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from messaging.mail.addresses import EVERYTHING, address_of, unsubscribe_path
from messaging.models import Mail, Notification, NotificationKind
from messaging.notifications.sentences import note_of, sentence
from tasks.links import question_path
from tasks.models import Event, Question

#: Characters of a subject, and of what somebody wrote, a question apart.
SUBJECT: Final = 150
QUOTED: Final = 600
#: How many notices one mail spells out; the rest is a number.
MOST_NOTICES: Final = 100
#: What starts a link in mail programs: ``://``, and names that begin with ``www.``.
_LINKS = re.compile(r"://|(?<=\bwww)\.", re.IGNORECASE)
#: Control characters, and those that turn the direction of writing; line breaks and tabs apart.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass
class Notice:
    """One thing that a mail tells; ``title``, ``quote`` and ``questions`` are untrusted."""

    text: str
    title: str = ""
    quote: str = ""
    address: str = ""
    questions: Sequence["Asked"] = ()


@dataclass
class Asked:
    """A question, and the link that answers it; empty without ``PUBLIC_URL``."""

    prompt: str
    address: str = ""


def harmless(text: str, most: int = QUOTED) -> str:
    """``text`` of at most ``most`` characters, without what a mail program could act on."""
    plain = _LINKS.sub(lambda match: f"[{match[0][0]}]{match[0][1:]}", _UNSEEN.sub("", text.replace("\r\n", "\n")))
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def in_one_line(text: str, most: int = SUBJECT) -> str:
    """``text`` fit for a header: in one line, without control characters."""
    return harmless(" ".join(text.split()), most)


def notice_of(mail: Mail, questions: Sequence[Question] = ()) -> Notice:
    """What ``mail`` tells, read from its event; ``questions``: the open ones that it asks its recipient."""
    event: Event = mail.event
    words = sentence(Notification(kind=mail.kind, event=event, last_event=event, last_kind=mail.kind))
    path = reverse("task", args=[event.task_ref]) if event.task_ref else reverse("notifications")
    if mail.kind == NotificationKind.INVITED:
        path = reverse("invitations")
    asked = [
        Asked(harmless(question.prompt, 2_000), address_of(question_path(question, mail.recipient_id)))
        for question in questions
    ]
    return Notice(
        text=in_one_line(words, 300),
        title=in_one_line(event.task.title) if event.task is not None else "",
        quote="" if asked else harmless(note_of(event)),
        address=address_of(path),
        questions=asked,
    )


def message_of(mails: Sequence[Mail], notices: Sequence[Notice], *, more: int = 0) -> EmailMultiAlternatives:
    """The message that tells ``notices``, which are of ``mails``; ``more``: how many further ones it only counts."""
    first, recipient = mails[0], mails[0].recipient
    what = first.kind if len(mails) == 1 else EVERYTHING
    stop = address_of(unsubscribe_path(recipient.pk, what))
    context = {
        "notices": notices,
        "more": more,
        "stop": stop,
        "settings_address": address_of(reverse("notification_settings")),
        "name": recipient.get_username(),
        "kind": NotificationKind(first.kind).label if len(mails) == 1 else "",
    }
    subject = notices[0].text if len(notices) == 1 else f"{len(notices) + more} notices from taskproject"
    headers = {
        # Of the first row, so that what is sent again after a crash is recognised as the same.
        "Message-ID": message_id(first),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        **unsubscribe_headers(stop),
    }
    message = EmailMultiAlternatives(
        subject=in_one_line(subject),
        body=text_of(context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[recipient.email],
        headers=headers,
    )
    message.attach_alternative(render_to_string("messaging/mail/notices.html", context), "text/html")
    return message


def unsubscribe_headers(address: str) -> dict[str, str]:
    """The headers by which mail programs end such mails with one click (RFC 8058); none without an address."""
    if not address:
        return {}
    return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def message_id(mail: Mail) -> str:
    return f"<taskproject.{mail.pk}.{mail.created_at:%Y%m%d%H%M%S%f}@{host_of_sender()}>"


def host_of_sender() -> str:
    """The host of the address from which we mail."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def text_of(context: dict[str, Any]) -> str:
    """The plain text, of the same facts as the HTML."""
    lines: list[str] = []
    for notice in context["notices"]:
        lines += [notice.text, *([notice.title] if notice.title else [])]
        lines += [f"> {line}" for line in notice.quote.splitlines()]
        for asked in notice.questions:
            lines += ["", *(f"> {line}" for line in asked.prompt.splitlines())]
            if asked.address:
                lines += ["", f"Answer it here, without signing in: {asked.address}"]
        lines += [*([notice.address] if notice.address else []), ""]
    if context["more"]:
        lines += [f"And {context['more']} more.", ""]
    lines += ["-- ", f"To {context['name']}, from taskproject."]
    if context["settings_address"]:
        lines.append(f"How you are told: {context['settings_address']}")
    if context["stop"]:
        lines.append(f"No more of these e-mails: {context['stop']}")
    return "\n".join(lines) + "\n"
