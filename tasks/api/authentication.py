"""Bearer tokens of agents."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tasks.actions.agents import digest_of
from tasks.models import Agent, AgentToken

# Being seen is written at most so often: a write on every read would make readers wait for writers.
SEEN_EVERY = timedelta(seconds=15)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>``; refuses tokens that are unknown, expired, revoked or of a disabled agent."""

    def authenticate(self, request: Request) -> tuple[User, AgentToken] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        # Kept on the request, because the idempotency layer asks before the view does.
        http_request: HttpRequest = request._request
        token = getattr(http_request, "agent_token", None)
        if token is None:
            token = token_of(secret.strip())
            http_request.agent_token = token  # type: ignore[attr-defined]
        return token.agent.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="taskproject"'


def token_of(secret: str) -> AgentToken:
    """The valid token with this secret, its agent and user loaded; notes that the agent was seen.

    Raises ``AuthenticationFailed`` with the reason.
    """
    tokens = AgentToken.objects.select_related("agent__user").annotate(now=Now())
    token = tokens.filter(digest=digest_of(secret)).order_by().first()
    if token is None:
        raise AuthenticationFailed("The token is unknown; ask a manager of your project for a new one.")
    now = token.now
    if token.revoked_at is not None:
        raise AuthenticationFailed("The token was revoked; ask a manager of your project for a new one.")
    if token.expires_at is not None and token.expires_at <= now:
        raise AuthenticationFailed("The token has expired; ask a manager of your project for a new one.")
    if not token.agent.enabled or not token.agent.user.is_active:
        raise AuthenticationFailed("This agent is disabled; ask a manager of your project.")
    if token.last_used_at is None or token.last_used_at < now - SEEN_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - SEEN_EVERY)
        if AgentToken.objects.filter(stale, pk=token.pk).update(last_used_at=now):
            Agent.objects.filter(pk=token.agent_id).update(last_seen_at=now)
            token.last_used_at = token.agent.last_seen_at = now
    return token
