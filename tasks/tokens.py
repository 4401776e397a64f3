"""Bearer tokens: how a secret is looked up, and when it is refused."""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from tasks.errors import NotAuthenticated
from tasks.models import Agent, AgentToken

# Being seen is written at most so often: a write on every read would make readers wait for writers.
SEEN_EVERY = timedelta(seconds=15)


def digest_of(secret: str) -> str:
    """How a token is stored and looked up: SHA-256, in hex. Tokens carry 256 random bits, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def why_refused(token: AgentToken, now: datetime) -> str | None:
    """What is wrong with a token at ``now``, in words; None where it is good."""
    if token.revoked_at is not None:
        return "The token was revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "The token has expired"
    if not token.agent.enabled or not token.agent.user.is_active:
        return "The agent of this token is disabled"
    return None


def token_of(secret: str) -> AgentToken:
    """The valid token with this secret, its agent and user loaded; notes that the agent was seen.

    Raises ``NotAuthenticated`` with the reason.
    """
    tokens = AgentToken.objects.select_related("agent__user").annotate(now=Now())
    token = tokens.filter(digest=digest_of(secret)).order_by().first()
    reason = "The token is unknown" if token is None else why_refused(token, token.now)
    if token is None or reason:
        raise NotAuthenticated(f"{reason}; ask a manager of your project for a new one.")
    if token.last_used_at is None or token.last_used_at < token.now - SEEN_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=token.now - SEEN_EVERY)
        if AgentToken.objects.filter(stale, pk=token.pk).update(last_used_at=token.now):
            Agent.objects.filter(pk=token.agent_id).update(last_seen_at=token.now)
            token.last_used_at = token.agent.last_seen_at = token.now
    return token
