"""Bearer tokens of agents, for DRF."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from taskproject.api.bearer import secret_in
from taskproject.guessing import address_in
from tasks.errors import DomainError, NotAuthenticated
from tasks.models import AgentToken
from tasks.tokens import token_of


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>``; refuses tokens that are unknown, expired, revoked or of disabled agents."""

    def authenticate(self, request: Request) -> tuple[User, AgentToken] | None:
        http_request: Any = request._request
        secret = secret_in(http_request.META)
        if secret is None:
            return None
        # Cached on the request, because the idempotency layer authenticates before the view does.
        if not hasattr(http_request, "agent_token"):
            try:
                http_request.agent_token = token_of(secret, address=address_in(http_request.META))
            except DomainError as error:
                http_request.agent_token = error
        token: AgentToken | DomainError = http_request.agent_token
        if isinstance(token, NotAuthenticated):
            raise AuthenticationFailed(token.detail)
        if isinstance(token, DomainError):
            # As DRF does for its own errors: the template of an answer asks for the user once more.
            request.user = AnonymousUser()
            raise token
        return token.agent.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="taskproject"'


class TokenScheme(OpenApiAuthenticationExtension):
    """The token's description in OpenAPI."""

    target_class = TokenAuthentication
    name = "agentToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        text = "An agent's token, created by its owner and shown once. It may be limited to projects and to reading."
        return {"type": "http", "scheme": "bearer", "description": text}
