"""ASGI entry point: plain HTTP goes to WSGI in pooled threads, streams and websockets to ``messaging``.

An event stream outlives a request's worth of work, so it is served by the event loop, not by a thread.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

# Everything below needs the apps that the line above has loaded.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import re_path  # noqa: E402

from messaging.hub import hub  # noqa: E402
from messaging.routing import websocket_urlpatterns  # noqa: E402
from messaging.sse import event_stream  # noqa: E402
from taskproject.server.bridge import Receive, Scope, Send, ThreadedWSGI  # noqa: E402

#: Paths (without a trailing slash) that answer with an event stream when one is asked for.
STREAM_PATHS = frozenset({"/api/v1/events"})
#: Long polls: they wait in threads of their own.
WAITING_PATHS = ("/api/v1/tasks/claim_next", "/api/v1/events")

#: Threads there for calls that wait for nothing while as many as may are waiting.
SPARE_THREADS = 4

threaded_wsgi = ThreadedWSGI(
    WSGIHandler(),
    threads=settings.HTTP_THREADS,
    waiting_paths=WAITING_PATHS,
    # The claims, half as many readers of events, and the spare ones.
    waiting_threads=settings.HTTP_WAITING + settings.HTTP_WAITING // 2 + SPARE_THREADS,
    on_thread_end=connections.close_all,
)


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"].rstrip("/") in STREAM_PATHS and _asks_for_stream(scope):
        await event_stream(scope, receive, send)
    else:
        await threaded_wsgi(scope, receive, send)


def _asks_for_stream(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"])


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Close a socket of an unknown path before it opens; the client sees 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            hub.close()
            threaded_wsgi.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter([*websocket_urlpatterns, re_path(r"", refuse_socket)]),  # type: ignore[arg-type]
        "lifespan": lifespan,
    }
)
