"""Bearer tokens: how a secret is looked up, and when a token is refused."""

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from taskproject.guessing import count_wrong_token
from taskproject.prepared.querysets import prepared
from taskproject.reach import Reach, limited
from tasks.errors import NotAuthenticated
from tasks.models import AgentKind, AgentToken
from tasks.presence import SEEN_EVERY, presence

ASK_FOR_ANOTHER = "ask whoever owns the agent for a new one."


def digest_of(secret: str) -> str:
    """How a token is stored and looked up: SHA-256 in hex. Tokens carry 256 random bits, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def why_refused(token: AgentToken, now: datetime) -> str | None:
    """What is wrong with a token at ``now`` and what to do, in one sentence; None if it is valid."""
    if token.revoked_at is not None:
        return f"The token was revoked; {ASK_FOR_ANOTHER}"
    if token.expires_at is not None and token.expires_at <= now:
        return f"The token has expired; {ASK_FOR_ANOTHER}"
    if not token.agent.enabled or not token.agent.user.is_active:
        return "The agent of this token is disabled; ask its owner to enable it."
    return None


def reach_of_tokens(tokens: Collection[AgentToken]) -> dict[int, Reach]:
    """What each of these tokens, with their agents loaded, reaches, by id. One query if any of them is limited."""
    limited_ids = [token.pk for token in tokens if token.is_limited]
    projects: dict[int, set[int]] = {pk: set() for pk in limited_ids}
    if limited_ids:
        rows = AgentToken.projects.through.objects.filter(agenttoken__in=limited_ids)
        for token_id, project_id in rows.values_list("agenttoken_id", "project_id"):
            projects[token_id].add(project_id)
    return {
        token.pk: Reach(
            frozenset(projects[token.pk]) if token.is_limited else None,
            read_only=token.read_only,
            made_by=_other_maker(token),
            until=token.expires_at,
        )
        for token in tokens
    }


def _other_maker(token: AgentToken) -> int | None:
    """Who made a person's token, if somebody else did."""
    is_own = token.agent.kind != AgentKind.HUMAN or token.created_by_id == token.agent.user_id
    return None if is_own else token.created_by_id


@prepared
def _with_digest(digest: Any) -> QuerySet[AgentToken]:
    return AgentToken.objects.select_related("agent__user").annotate(now=Now()).filter(digest=digest).order_by()


def token_of(secret: str, *, address: str) -> AgentToken:
    """The valid token with this secret, with its agent and user loaded, who has its reach; notes that the agent was
    seen, unless the token only reads: whoever watches on an agent's behalf does not work.

    Raises ``NotAuthenticated`` with the reason; ``TooManyRequests`` if ``address`` has sent too many wrong ones.
    """
    token = _with_digest.first(digest=digest_of(secret))
    reason = f"The token is unknown; {ASK_FOR_ANOTHER}" if token is None else why_refused(token, token.now)
    if token is None or reason:
        count_wrong_token(address)
        raise NotAuthenticated(str(reason))
    if token.last_used_at is None or token.last_used_at < token.now - SEEN_EVERY:
        presence.note({token.pk: token.now})
        token.last_used_at = token.now
        if not token.read_only:
            token.agent.last_seen_at = token.now
    limited(token.agent.user, reach_of_tokens([token])[token.pk])
    return token
