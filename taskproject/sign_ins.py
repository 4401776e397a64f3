"""Which browsers an account is signed in with, and how it signs out the others."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from taskproject.models import SignIn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: The key in a session for the id of its ``SignIn``.
NOTED: Final = "sign_in"
#: Browsers that are listed, the last seen first.
SHOWN: Final = 50
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"), ("Windows", "Windows"),
    ("Macintosh", "a Mac"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True)
class Browser:
    """One that is signed in. ``since`` and ``seen`` are empty if it was signed in before they were noted."""

    words: str
    is_this: bool
    since: datetime | None = None
    seen: datetime | None = None


def device_words(agent: str) -> str:
    """A browser as people call it, from its ``User-Agent``, which it may have made up."""
    browser = next((word for mark, word in _BROWSERS if re.search(rf"{mark}\w*/", agent)), "")
    system = next((word for mark, word in _SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "An unknown browser"


def note_sign_in(sender: Any, request: HttpRequest | None, user: "User", **kwargs: Any) -> None:
    """Note the browser that has just signed in; called by Django."""
    session = getattr(request, "session", None)
    if session is None or not session.session_key:
        return
    now = timezone.now()
    SignIn.objects.filter(user=user).exclude(session_key__in=_alive().values("session_key")).delete()
    noted = {
        "user": user,
        "device": request.META.get("HTTP_USER_AGENT", "")[:300].replace("\0", ""),  # type: ignore[union-attr]
        "signed_in_at": now,
        "last_seen_at": now,
    }
    sign_in, _ = SignIn.objects.update_or_create(session_key=session.session_key, defaults=noted)
    session[NOTED] = sign_in.pk


def _alive() -> Any:
    return Session.objects.filter(expire_date__gt=timezone.now())


def browsers_of(user: "User", session_key: str | None) -> list[Browser]:
    """Those that ``user`` is signed in with, this one first, then the last seen; at most ``SHOWN``."""
    rows = SignIn.objects.filter(user=user, session_key__in=_alive().values("session_key"))
    others = [
        Browser(device_words(row.device), False, row.signed_in_at, row.last_seen_at)
        for row in rows.exclude(session_key=session_key)[: SHOWN - 1]
    ]
    this = rows.filter(session_key=session_key).first()
    if this is None:
        return [Browser("This browser", True), *others]
    return [Browser(device_words(this.device), True, this.signed_in_at, this.last_seen_at), *others]


def sign_out_others(user: "User", session_key: str | None) -> None:
    """End all sessions of ``user`` but the one with this key; repeating it changes nothing."""
    noted = SignIn.objects.filter(user=user).exclude(session_key=session_key)
    keys = set(noted.values_list("session_key", flat=True))
    # Sessions from before sign-ins were noted; they do not outlive SESSION_COOKIE_AGE.
    unnoted = _alive().exclude(session_key__in=SignIn.objects.values("session_key"))
    for session in unnoted.exclude(session_key=session_key).iterator(chunk_size=500):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            keys.add(session.session_key)
    ordered = sorted(keys)
    for start in range(0, len(ordered), 500):
        Session.objects.filter(session_key__in=ordered[start : start + 500]).delete()
    noted.delete()
