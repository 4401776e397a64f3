"""ASGI entry point: plain HTTP goes to WSGI in pooled threads, streams and websockets to ``messaging``.

An event stream lasts longer than the work of a request, so it is served by the event loop, not by a thread.
"""

import asyncio
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

# Everything below needs the apps that the line above loads.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import re_path  # noqa: E402

from messaging.stream.hub import hub  # noqa: E402
from messaging.stream.routing import websocket_urlpatterns  # noqa: E402
from messaging.stream.sse import event_stream  # noqa: E402
from taskproject import memory  # noqa: E402
from taskproject.http.bridge import Receive, Scope, Send, ThreadedWSGI  # noqa: E402
from taskproject.http.notes import NOTES  # noqa: E402
from taskproject.watch import doors  # noqa: E402
from taskproject.watch.pulse import pulse  # noqa: E402
from taskproject.watch.recording import recorded  # noqa: E402

#: Paths (without a trailing slash) that answer with an event stream on request.
STREAM_PATHS = frozenset({"/api/v1/events"})

memory.bound()
threaded_wsgi = ThreadedWSGI(
    WSGIHandler(),
    threads=settings.HTTP_THREADS,
    on_thread_end=connections.close_all,
    on_thread_idle=memory.give_back,
)


#: Whether a signal that ends the server also releases everyone who waits, who would delay it. ``up`` does it itself.
release_at_signals = True


def release() -> None:
    """Answer the waiting calls and close the streams: the server is about to stop. Runs in the loop's thread."""
    threaded_wsgi.stop_waiting()
    hub.close_for_good()


def _release_at_signals(loop: asyncio.AbstractEventLoop) -> None:
    """Run ``release`` before the server's own handler of SIGTERM and SIGINT."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        servers_own = signal.getsignal(number)
        if not callable(servers_own):
            continue

        def handle(number: int, frame: FrameType | None, servers_own: Any = servers_own) -> None:
            loop.call_soon_threadsafe(release)
            servers_own(number, frame)

        signal.signal(number, handle)


#: Its server sends no lifespan events.
_is_runserver = "runserver" in sys.argv


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    if _is_runserver:
        pulse.ensure()
    if scope["path"].rstrip("/") in STREAM_PATHS and _asks_for_stream(scope):
        scope[NOTES].route = f"{scope['path'].rstrip('/')} (stream)"
        await event_stream(scope, receive, send)
    else:
        await threaded_wsgi(scope, receive, send)


def _asks_for_stream(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"])


_recorded = recorded(http)


async def all_http(scope: Scope, receive: Receive, send: Send) -> None:
    """Everything over HTTP; what probes ask for is answered first, and not recorded."""
    if (path := doors.door(scope["path"])) is not None:
        await doors.serve(path, scope, send)
    else:
        await _recorded(scope, receive, send)


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Close a socket on an unknown path before it opens; the client sees 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if release_at_signals:
                _release_at_signals(asyncio.get_running_loop())
            pulse.ensure()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            hub.close()
            threaded_wsgi.close()
            pulse.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


application = ProtocolTypeRouter(
    {
        "http": all_http,
        "websocket": URLRouter([*websocket_urlpatterns, re_path(r"", refuse_socket)]),  # type: ignore[arg-type]
        "lifespan": lifespan,
    }
)
