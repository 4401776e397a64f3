"""``GET /api/v1/events`` with ``Accept: text/event-stream``: the stream as server-sent events.

As in the HTML standard, section *Server-sent events*: each event carries its cursor as ``id``, so that a reconnecting
client sends it as ``Last-Event-ID`` and misses nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import DatabaseError, InterfaceError

from messaging.stream.admission import admit_follower
from messaging.stream.hub import Batch, Follower, hub
from taskproject.api.problems import CONTENT_TYPE, problem_of, problem_of_outage
from taskproject.api.renderers import JSONRenderer
from taskproject.errors import DomainError
from taskproject.guessing import address_of
from tasks.events.reading import Cursor

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

#: A comment at this interval keeps proxies from closing a quiet stream.
KEEP_ALIVE_SECONDS = 15.0


async def event_stream(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """ASGI application for one stream."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        follower, after = await hub.in_thread(
            admit_follower, headers, scope["query_string"], address=address_of(scope), replay=True
        )
        hub.enter(follower)
    except DomainError as error:
        return await _refuse(send, problem_of(error))
    except (DatabaseError, InterfaceError):
        return await _refuse(send, problem_of_outage())
    start_headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
    ]
    tasks: list[asyncio.Task[None]] = []
    try:
        await send({"type": "http.response.start", "status": 200, "headers": start_headers})
        work = (_feed(send, follower, after), _keep_alive(send), _gone(receive))
        tasks += [asyncio.create_task(part) for part in work]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        hub.leave(follower)


async def _write(send: Send, text: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": more})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _keep_alive(send: Send) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_SECONDS)
        await _write(send, b": still here\n\n")


async def _feed(send: Send, follower: Follower, after: Cursor | None) -> None:
    await _write(send, b"retry: 2000\n\n")
    async for batch in hub.stream(follower, after):
        await _write(send, _text_of(batch))
    await _write(send, b"", more=False)


def _text_of(batch: Batch) -> bytes:
    if not batch.events:
        return f"id: {batch.cursor}\nevent: hello\ndata: {{}}\n\n".encode()
    return b"".join(f"id: {cursor}\ndata: ".encode() + text + b"\n\n" for cursor, text in batch.events)


async def _refuse(send: Send, body: dict[str, Any]) -> None:
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    if wait := body.get("retry_after_seconds"):
        headers.append((b"retry-after", str(wait).encode()))
    await send({"type": "http.response.start", "status": body["status"], "headers": headers})
    await send({"type": "http.response.body", "body": JSONRenderer().render(body)})
