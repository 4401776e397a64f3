"""API clients for tests, one per member of the cast."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponse
from rest_framework.test import APIClient

from taskproject.http.waiting import WaitingWSGI
from tasks.actions.agents import create_token


def client_of(user: User) -> APIClient:
    """A client with a token for an agent, or with a session for a user without one."""
    client = APIClient(raise_request_exception=True)
    agent = getattr(user, "agent", None)
    if agent is None:
        client.force_login(user)
    else:
        _, secret = create_token(actor=None, agent=agent, name="test")
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def let_wait(client: APIClient) -> WaitingWSGI:
    """Let the client's requests wait, as a plain WSGI server does: in the thread that calls. Returns that server."""
    application = WaitingWSGI(WSGIHandler(), most=32)

    def handle(environ: dict[str, Any]) -> HttpResponse:
        head: list[Any] = []
        body = b"".join(application(environ, lambda *args: head.extend(args)))
        response = HttpResponse(body, status=int(head[0][:3]), headers=dict(head[1]))
        response.wsgi_request = WSGIRequest(environ)  # type: ignore[attr-defined]
        return response

    client.handler = handle  # type: ignore[assignment]
    return application


@pytest.fixture
def api(cast):
    """``api.atlas.get("/tasks")``: calls below /api/v1 as that member of the cast; ``api.nobody`` has no token."""

    class Calls:
        def __init__(self, client: APIClient) -> None:
            self.client = client

        def __getattr__(self, method: str):
            def call(path: str, body: Any = None, **headers: str):
                extra = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
                arguments = (body,) if body is not None or method != "get" else ()
                return getattr(self.client, method)(f"/api/v1{path}", *arguments, **extra)

            return call

    class Everyone:
        def __init__(self) -> None:
            self.made: dict[str, Calls] = {}

        def __getattr__(self, name: str) -> Calls:
            if name not in self.made:
                member = None if name == "nobody" else getattr(cast, name)
                client = APIClient() if member is None else client_of(getattr(member, "user", member))
                self.made[name] = Calls(client)
            return self.made[name]

    return Everyone()
