"""One line in the log and one count for each request, whichever server took it; the answer carries ``X-Request-ID``.

The outermost layer sees status and duration, Django's middleware sees who asked for what; ``Notes`` connect them.
"""

import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject

from taskproject.api.waiting import WAITING
from taskproject.http.bridge import Receive, Scope, Send
from taskproject.http.notes import NOTES, Notes, begin_notes, current_notes, template_of
from taskproject.watch import metrics

logger = logging.getLogger("taskproject.request")

REQUEST_ID = "X-Request-ID"
#: The status of a request whose client went away before there was an answer, as nginx logs it.
GONE = 499
#: Calls whose answer names the runs that they began.
CLAIMS = frozenset({"api-claim", "api-claim-next", "api-start"})


def end(notes: Notes) -> None:
    """The request was answered, or its client has gone."""
    status = notes.status or GONE
    metrics.count_request(notes.method, notes.route, status)
    if logger.isEnabledFor(logging.INFO):
        facts = {"notes": notes, "status": status, "duration_ms": round(notes.seconds * 1000, 1)}
        logger.info("%s %s %s", notes.method, notes.route or "unknown", status, extra=facts)


def recorded(application: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The ASGI application for HTTP, with each request recorded."""

    @functools.wraps(application)
    async def recording(scope: Scope, receive: Receive, send: Send) -> None:
        notes = begin_notes(scope["method"], _header(scope, b"x-request-id"))

        async def noting(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                notes.status = message["status"]
                headers = [*message["headers"], (REQUEST_ID.lower().encode(), notes.request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await application({**scope, NOTES: notes}, receive, noting)
        finally:
            end(notes)

    return recording


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def recorded_wsgi(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application, with each request recorded once its answer begins."""

    @functools.wraps(application)
    def recording(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        notes = environ[NOTES] = begin_notes(environ["REQUEST_METHOD"], environ.get("HTTP_X_REQUEST_ID"))

        def noting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            notes.status = int(status[:3])
            return start_response(status, [*headers, (REQUEST_ID, notes.request_id)], *rest)

        try:
            return application(environ, noting)
        finally:
            end(notes)

    return recording


class NotesMiddleware:
    """The outermost middleware: notes who asked for what, and lets every line logged meanwhile carry the notes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        notes = request.META.get(NOTES)
        # Without our server, as in Django's test client, this is the outermost layer.
        outermost = notes is None
        if notes is None:
            notes = begin_notes(request.method or "", request.headers.get(REQUEST_ID))
        reset = current_notes.set(notes)
        began = time.monotonic()
        try:
            response = self.get_response(request)
            fill(notes, request, response)
            waiting = request.META.get(WAITING)
            if waiting is None or not waiting.asked:
                # A look that found nothing is not yet an answer.
                metrics.time_call(notes.route_name, time.monotonic() - began)
        finally:
            current_notes.reset(reset)
        if outermost:
            notes.status = response.status_code
            response.headers[REQUEST_ID] = notes.request_id
            end(notes)
        return response


def fill(notes: Notes, request: HttpRequest, response: HttpResponse) -> None:
    """Note the route, the user, the agent and the runs, as far as the request came; asks the database nothing."""
    match = request.resolver_match
    if match is not None:
        notes.route, notes.route_name = template_of(match.route), match.view_name or ""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        # Django loads it when somebody looks; nobody may have.
        user = getattr(request, "_cached_user", None)
    if user is not None and user.is_authenticated:
        notes.user = user.get_username()
    # Set by the API's authentication; where the token was refused, to the refusal.
    agent = getattr(getattr(request, "agent_token", None), "agent", None)
    if agent is not None:
        notes.agent = agent.slug
    if match is not None and "/runs/" in notes.route and "id" in match.kwargs:
        notes.runs = [str(match.kwargs["id"])]
    elif notes.route_name in CLAIMS and response.status_code < 300:
        data = getattr(response, "data", None) or {}
        notes.runs = [str(run["id"]) for run in data.get("runs", [data]) if "id" in run]
