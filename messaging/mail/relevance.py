"""What of the mails that wait still concerns their recipient at the moment they are sent."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from messaging.models import Email, Mail, Notification, NotificationKind
from messaging.notifications.choices import Choices
from messaging.notifications.rules import members_among
from tasks.models import Invitation, Question


class Relevant(NamedTuple):
    """A mail to be sent, and the open questions that it asks its recipient."""

    mail: Mail
    questions: list[Question]


def relevant(mails: Sequence[Mail]) -> tuple[list[Relevant], dict[str, list[Mail]]]:
    """Those of ``mails`` that are still to be sent, and the others by why not."""
    members = members_among((mail.project_id, mail.recipient_id) for mail in mails)
    choices = Choices({mail.recipient_id for mail in mails})
    read = set(
        Notification.objects.filter(event__in={mail.event_id for mail in mails}, read_at__isnull=False).values_list(
            "event", "recipient"
        )
    )
    questions = _open_questions(mails)
    kept: list[Relevant] = []
    dropped: dict[str, list[Mail]] = defaultdict(list)
    for mail in mails:
        reason = _why_not(mail, (mail.project_id, mail.recipient_id) in members, choices)
        asked = questions[mail.pk]
        if not reason and mail.kind == NotificationKind.QUESTION_FOR_ME and not asked:
            reason = "The question is no longer open to its recipient."
        elif not reason and not asked and (mail.event_id, mail.recipient_id) in read:
            reason = "It was read on the page before."
        if reason:
            dropped[reason].append(mail)
        else:
            kept.append(Relevant(mail, asked))
    return kept, dropped


def _why_not(mail: Mail, is_member: bool, choices: Choices) -> str:
    kind = NotificationKind(mail.kind)
    if not mail.recipient.is_active:
        return "The account is disabled."
    if not is_address(mail.recipient.email):
        return "The account has no valid e-mail address."
    if choices.ways(mail.recipient_id, kind).email == Email.OFF:
        return "Its recipient wants no such e-mails any more."
    if kind == NotificationKind.INVITED:
        return "" if _is_invited(mail) else "The invitation is no longer open."
    if not is_member:
        return "Its recipient is no longer a member of the project."
    if mail.event.task_id is not None and mail.event.task is None:
        return "The task was deleted."
    return ""


def is_address(text: str) -> bool:
    """Whether ``text`` is one address and nothing else, so that it is safe in a header."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def _is_invited(mail: Mail) -> bool:
    return Invitation.objects.standing().filter(project=mail.project_id, name=mail.event.data["member"]).exists()


def _open_questions(mails: Sequence[Mail]) -> dict[int, list[Question]]:
    """By mail, the open questions of its event that its recipient may answer, in the order in which they were asked."""
    asked: dict[int, list[Question]] = defaultdict(list)
    for mail in mails:
        if mail.kind == NotificationKind.QUESTION_FOR_ME:
            ids = mail.event.data.get("questions") or [mail.event.data.get("question")]
            rows = Question.objects.open().answerable_by(mail.recipient).filter(pk__in=ids).order_by("ask", "position")
            asked[mail.pk] = list(rows)
    return asked
