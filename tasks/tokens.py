"""Bearer tokens: how a secret is looked up, and when a token is refused."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from taskproject.guessing import count_wrong_token
from taskproject.reach import Reach, limited
from tasks import clock
from tasks.errors import NotAuthenticated
from tasks.models import Agent, AgentToken

# `last_seen_at` is written no more often than this: a write on every read would make readers wait for writers.
SEEN_EVERY = timedelta(seconds=15)
ASK_FOR_ANOTHER = "ask a manager of your project for a new one."


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
        return "The agent of this token is disabled; ask a manager of your project to enable it."
    return None


def reach_of_tokens(tokens: Collection[AgentToken]) -> dict[int, Reach]:
    """What each of these tokens reaches, by id. One query if any of them is limited."""
    limited_ids = [token.pk for token in tokens if token.is_limited]
    projects: dict[int, set[int]] = {pk: set() for pk in limited_ids}
    if limited_ids:
        rows = AgentToken.projects.through.objects.filter(agenttoken__in=limited_ids)
        for token_id, project_id in rows.values_list("agenttoken_id", "project_id"):
            projects[token_id].add(project_id)
    return {
        token.pk: Reach(frozenset(projects[token.pk]) if token.is_limited else None, read_only=token.read_only)
        for token in tokens
    }


def token_of(secret: str, *, address: str) -> AgentToken:
    """The valid token with this secret, with its agent and user loaded, who has its reach; records that the agent was
    seen, unless the token only reads: whoever watches on an agent's behalf does not work.

    Raises ``NotAuthenticated`` with the reason; ``TooManyRequests`` if ``address`` has sent too many wrong ones.
    """
    tokens = AgentToken.objects.select_related("agent__user").annotate(now=Now())
    token = tokens.filter(digest=digest_of(secret)).order_by().first()
    reason = f"The token is unknown; {ASK_FOR_ANOTHER}" if token is None else why_refused(token, token.now)
    if token is None or reason:
        count_wrong_token(address)
        raise NotAuthenticated(str(reason))
    if token.last_used_at is None or token.last_used_at < token.now - SEEN_EVERY:
        unseen = AgentToken.objects.filter(_unseen_since(token.now - SEEN_EVERY), pk=token.pk)
        if unseen.update(last_used_at=token.now):
            token.last_used_at = token.now
            if not token.read_only:
                Agent.objects.filter(pk=token.agent_id).update(last_seen_at=token.now)
                token.agent.last_seen_at = token.now
    limited(token.agent.user, reach_of_tokens([token])[token.pk])
    return token


def _unseen_since(when: datetime) -> Q:
    return Q(last_used_at__isnull=True) | Q(last_used_at__lt=when)


def note_seen(tokens: Collection[int]) -> None:
    """Record that the agents of these valid tokens (by id) are here, at most every ``SEEN_EVERY``.

    For agents that stay connected without further requests: an agent listening to the stream is alive, unless with a
    token that only reads.
    """
    now = clock.now()
    unseen = AgentToken.objects.filter(_unseen_since(now - SEEN_EVERY), pk__in=tokens, read_only=False).order_by()
    agents = set(unseen.values_list("agent", flat=True))
    if not agents:
        return
    with transaction.atomic():
        # Another process may write the same rows in another order: it writes what it has locked, or the next call does.
        rows = Agent.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=agents).order_by("pk")
        free = list(rows.values_list("pk", flat=True))
        Agent.objects.filter(pk__in=free).update(last_seen_at=now)
        AgentToken.objects.filter(pk__in=tokens, agent__in=free).order_by().update(last_used_at=now)
