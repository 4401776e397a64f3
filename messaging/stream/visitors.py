"""Who follows the stream, and what they may see now: members of projects, by session or token."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare

from messaging.conversation.here import people
from taskproject.errors import NotAuthenticated
from taskproject.reach import FULL, Reach, limited, reach_of
from tasks import clock
from tasks.models import AgentToken, Membership, Project
from tasks.presence import presence
from tasks.querysets import is_superuser, sees_all
from tasks.tokens import reach_of_tokens, token_of, why_refused

SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


@dataclass(frozen=True)
class Visitor:
    """A user as the stream sees them; ``projects`` are ids, or None for a superuser, who sees everything.

    ``made_by``: who made the token, if somebody else than the person. ``session_hash`` belongs to the password under
    which the session started: a new password ends it.
    """

    user_id: int
    projects: frozenset[int] | None
    token_id: int | None = None
    session_key: str | None = None
    session_hash: str = ""
    made_by: int | None = None

    @property
    def caller(self) -> tuple[int, int | None]:
        """As whom it counts against limits; see ``reach.caller_of``."""
        return self.user_id, self.made_by


def admit(headers: Mapping[str, str], *, address: str) -> Visitor:
    """The visitor identified by a request's headers (lower-case names): a bearer token, else a session cookie.

    Raises ``NotAuthenticated``; ``TooManyRequests`` if ``address`` has sent too many wrong tokens. Reads the database.
    """
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = token_of(secret.strip(), address=address)
        return replace(visitor_of(token.agent.user), token_id=token.pk, made_by=reach_of(token.agent.user).made_by)
    session_key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
    user = _user_of_session(session_key) if session_key else None
    if user is None:
        raise NotAuthenticated("Sign in, or send a token: `Authorization: Bearer <token>`.")
    return replace(visitor_of(user), session_key=session_key, session_hash=user.get_session_auth_hash())


def _user_of_session(session_key: str) -> User | None:
    """The user signed in with this session; None if the session has ended or the password has changed."""
    session = SessionStore(session_key)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if user is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return None
    return user


def visitor_of(user: User) -> Visitor:
    """``user`` with what they may see now, as far as their credentials reach. Reads the database."""
    if sees_all(user):
        return Visitor(user.pk, None)
    seen = Project.objects.visible_to(user).order_by()
    return Visitor(user.pk, frozenset(seen.values_list("pk", flat=True)))


def user_of(visitor: Visitor) -> User:
    """The user as a caller who sees exactly what the visitor sees. Reads the database."""
    return limited(User.objects.get(pk=visitor.user_id), Reach(visitor.projects))


def standing(visitors: Iterable[Visitor]) -> dict[Visitor, Visitor | None]:
    """What each visitor may see now; None for those no longer authorised. At most five queries for all of them."""
    visitors = set(visitors)
    now = clock.now()
    users = User.objects.filter(is_active=True).in_bulk({visitor.user_id for visitor in visitors})
    token_ids = {visitor.token_id for visitor in visitors if visitor.token_id is not None}
    tokens = AgentToken.objects.select_related("agent__user").filter(pk__in=token_ids)
    good_tokens = [token for token in tokens if why_refused(token, now) is None]
    reaches = reach_of_tokens(good_tokens)
    session_keys = {visitor.session_key for visitor in visitors if visitor.session_key is not None}
    alive = Session.objects.filter(session_key__in=session_keys, expire_date__gt=now)
    good_sessions = set(alive.values_list("session_key", flat=True))
    projects: dict[int, set[int]] = {user_id: set() for user_id in users}
    for user_id, project_id in Membership.objects.filter(user__in=users).values_list("user_id", "project_id"):
        projects[user_id].add(project_id)

    @functools.cache
    def session_hash_of(user_id: int) -> str:
        return users[user_id].get_session_auth_hash()

    def now_is(visitor: Visitor) -> Visitor | None:
        if visitor.user_id not in users:
            return None
        if visitor.token_id is not None and visitor.token_id not in reaches:
            return None
        if visitor.session_key is not None and not (
            visitor.session_key in good_sessions
            and constant_time_compare(visitor.session_hash, session_hash_of(visitor.user_id))
        ):
            return None
        reach = FULL if visitor.token_id is None else reaches[visitor.token_id]
        if is_superuser(users[visitor.user_id]):
            return replace(visitor, projects=reach.projects)
        return replace(visitor, projects=frozenset(filter(reach.includes, projects[visitor.user_id])))

    return {visitor: now_is(visitor) for visitor in visitors}


def audit(visitors: Iterable[Visitor]) -> dict[Visitor, Visitor | None]:
    """``standing`` of the followers; also notes that they are here, even if they only listen."""
    stand = standing(visitors)
    now = clock.now()
    there = [visitor for visitor in stand.values() if visitor]
    presence.note({visitor.token_id: now for visitor in there if visitor.token_id is not None})
    people.note({visitor.user_id: now for visitor in there if visitor.token_id is None})
    return stand
