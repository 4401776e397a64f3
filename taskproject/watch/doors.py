"""``/healthz``, ``/readyz`` and ``/metrics``: answered before anything that may be busy or broken.

Under ASGI the event loop answers them, under WSGI the wrapper of the application; neither a thread of the pool, nor the
host's name, nor a session, nor the database is needed. Django's URLs lead to the same for its development server.
"""

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse

from taskproject.api.problems import CONTENT_TYPE as PROBLEM
from taskproject.api.problems import problem
from taskproject.http.bridge import Scope, Send
from taskproject.watch import metrics, readiness
from taskproject.watch.watcher import Reader, Reading, watcher

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
#: How long a question waits for a fresh reading; it is at hand if somebody has asked within a minute.
PATIENCE_SECONDS = 2.0
POLL_SECONDS = 0.02
#: A request with one of these came through a proxy, so the peer says nothing about who sent it.
FORWARDED = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            ("content-type", self.content_type),
            ("content-length", str(len(self.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            *self.extra,
        ]


def door(path: str) -> str | None:
    """Which of ``PATHS`` this is, with or without a trailing slash; None if none."""
    path = path.removesuffix("/")
    return path if path in PATHS else None


def needs_reading(path: str) -> bool:
    return path != "/healthz"


def refusal(path: str, method: str, headers: Mapping[str, str], peer: str | None) -> Answer | None:
    """Why this caller gets nothing; ``headers`` have lower-case names, ``peer`` is None for a Unix socket."""
    if method not in ("GET", "HEAD"):
        return _problem("method_not_allowed", "Only GET is possible here.", ("allow", "GET, HEAD"))
    if path != "/metrics":
        return None
    if settings.METRICS_TOKEN:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = settings.METRICS_TOKEN.encode()
        if scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode("utf-8", "replace"), expected):
            return None
        detail = "Send `Authorization: Bearer` with the server's METRICS_TOKEN."
        return _problem("not_authenticated", detail, ("www-authenticate", 'Bearer realm="metrics"'))
    if _is_local(headers, peer):
        return None
    return _problem(
        "permission_denied", "Metrics are for this machine alone; set METRICS_TOKEN to read them elsewhere."
    )


def _is_local(headers: Mapping[str, str], peer: str | None) -> bool:
    """Whether a program on this machine asks directly: behind a proxy here, every peer is local."""
    if any(name in FORWARDED or name.startswith("x-forwarded") for name in headers):
        return False
    try:
        # Last defence: a proxy that adds no header still passes on a public name, and so does a browser's rebinding.
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    return (not peer or _is_loopback(peer)) and (host == "localhost" or _is_loopback(host or ""))


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def _problem(code: str, detail: str, *extra: tuple[str, str]) -> Answer:
    body = problem(code, detail)
    return Answer(body["status"], PROBLEM, orjson.dumps(body), extra)


def answer(path: str, reading: Reading | None) -> Answer:
    """What an admitted caller gets."""
    if path == "/healthz":
        return Answer(200, JSON, b'{"alive":true}')
    if path == "/readyz":
        status, body = readiness.answer_of(reading)
        return Answer(status, JSON, orjson.dumps(body), () if status == 200 else (("retry-after", "3"),))
    return Answer(200, metrics.CONTENT_TYPE, metrics.render(reading))


async def serve(path: str, scope: Scope, send: Send) -> None:
    """Answer an ASGI request for ``path``, one of ``PATHS``."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client")
    given = refusal(path, scope["method"], headers, client[0] if client else None)
    if given is None:
        reading, until = None, time.monotonic() + PATIENCE_SECONDS
        while needs_reading(path):
            reading = watcher.latest()
            if readiness.is_fresh(reading) or time.monotonic() >= until:
                break
            await asyncio.sleep(POLL_SECONDS)
        given = answer(path, reading)
    encoded = [(name.encode(), value.encode()) for name, value in given.headers]
    await send({"type": "http.response.start", "status": given.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else given.body})


def answer_wsgi(path: str, environ: Mapping[str, Any]) -> Answer:
    """The same for a WSGI request, in its thread."""
    return _answer(path, environ, _wait_for_reading)


def _answer(path: str, environ: Mapping[str, Any], read: Callable[[], Reading | None]) -> Answer:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    given = refusal(path, environ["REQUEST_METHOD"], headers, environ.get("REMOTE_ADDR"))
    return given or answer(path, read() if needs_reading(path) else None)


def _wait_for_reading() -> Reading | None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        reading = watcher.latest()
        if readiness.is_fresh(reading) or time.monotonic() >= until:
            return reading
        time.sleep(POLL_SECONDS)


def _read_here() -> Reading | None:
    try:
        return Reader().read()
    except (DatabaseError, InterfaceError):
        return None


def view(request: HttpRequest) -> HttpResponse:
    """The Django view of all three: what a server without ``asgi.py`` and ``wsgi.py`` answers, such as in tests."""
    path = door(request.path)
    assert path is not None
    given = _answer(path, request.META, _read_here)
    return HttpResponse(given.body, status=given.status, headers=dict(given.headers))
