"""Addresses of our own pages, as they stand in mails."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from messaging.models import NotificationKind

#: Of all kinds at once.
EVERYTHING = "everything"
_SALT = "messaging.unsubscribe"


def address_of(path: str) -> str:
    """The whole address of ``path``; empty if the server was not told its own (``PUBLIC_URL``)."""
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else ""


def unsubscribe_path(user: int, what: str) -> str:
    """Where ``user`` ends the mails about ``what``: a kind, or ``EVERYTHING``."""
    return reverse("unsubscribe", args=[signing.dumps([user, what], salt=_SALT, compress=False)])


def read_unsubscribe(token: str) -> tuple[int, str] | None:
    """The user and what, of a token of ours; None for any other."""
    try:
        user, what = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    known = what == EVERYTHING or what in NotificationKind.values
    return (user, what) if isinstance(user, int) and known else None
