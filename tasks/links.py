"""Links by which one person answers one question without signing in: made, read, revoked.

A link names a row of ours and carries a code made of the row's nonce and the server's secret key, so that neither the
database alone nor the key alone makes one. It ends with its question.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.urls import reverse

from tasks import clock
from tasks.models import Question, QuestionLink

if TYPE_CHECKING:
    from django.db.models import QuerySet

_TOKEN = re.compile(r"([0-9]{1,18})-([0-9a-f]{64})", re.ASCII)
_PURPOSE: Final = b"tasks.links.question"


def _code(pk: int, nonce: str) -> str:
    return hmac.new(
        settings.SECRET_KEY.encode(), b"%s:%d:%s" % (_PURPOSE, pk, nonce.encode()), hashlib.sha256
    ).hexdigest()


def link_to(question: Question, user: int) -> QuestionLink:
    """The link by which ``user`` (their id) answers ``question``; the same as long as it is not revoked."""
    link, _ = QuestionLink.objects.get_or_create(
        question=question,
        user_id=user,
        revoked_at=None,
        defaults={"nonce": secrets.token_hex(16), "created_at": clock.now()},
    )
    return link


def question_path(question: Question, user: int) -> str:
    """The path of that link."""
    link = link_to(question, user)
    return reverse("question_link", args=[f"{link.pk}-{_code(link.pk, link.nonce)}"])


def read_link(token: str) -> QuestionLink | None:
    """The link that ``token`` is of, used or not; None for any other text, and for one that was revoked."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    link = (
        QuestionLink.objects.filter(pk=int(match[1]), revoked_at=None)
        .select_related("user__agent", "question__run__agent", "question__task__project", "question__project")
        .first()
    )
    if link is None or not hmac.compare_digest(_code(link.pk, link.nonce), match[2]):
        return None
    return link


def use_link(link: QuestionLink, *, at: datetime) -> bool:
    """Note that ``link`` has answered; False if it had, or was revoked. That it counts once is by its question, which
    takes one answer.
    """
    unused = QuestionLink.objects.filter(pk=link.pk, used_at=None, revoked_at=None)
    return unused.update(used_at=at) == 1


def open_links(user: int) -> "QuerySet[QuestionLink]":
    """The links of ``user`` that still answer something."""
    return QuestionLink.objects.filter(user=user, used_at=None, revoked_at=None, question__ended_at=None)


def revoke_links(user: int) -> int:
    """Revoke those; returns how many."""
    return open_links(user).update(revoked_at=clock.now())
