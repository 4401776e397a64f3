"""The bodies of requests: read completely, within limits of size and time, before a thread is used for them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from taskproject.api.renderers import BODY_LIMIT

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]

#: How much of a too large body is read and discarded, so that its sender gets to read the answer.
DRAINED_BYTES = 16 * 1024 * 1024
#: A body that is not complete by then is given up.
BODY_SECONDS = 60


class BodyRefused(Exception):
    """The body is not accepted; ``code`` and ``detail`` are those of the problem."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Gone(Exception):
    """The client went away."""


def _too_large() -> BodyRefused:
    return BodyRefused("body_too_large", "The body is larger than 1 MB; send less at a time.")


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises ``BodyRefused``, ``Gone`` if the client went away."""
    declared = _declared_length(scope)
    if declared == 0:
        return b""
    if declared is not None and declared > BODY_LIMIT:
        await _drain(scope, receive, declared)
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive)
    except TimeoutError:
        raise BodyRefused("request_timeout", f"The body did not come within {BODY_SECONDS} seconds.") from None


def _declared_length(scope: Scope) -> int | None:
    """The body's length in bytes; None if the headers leave it open."""
    declared: int | None = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise BodyRefused("validation_error", "Content-Length is not a number.")
            declared = int(value)
        elif name == b"transfer-encoding":
            declared = None
    return declared


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > DRAINED_BYTES:
            raise _too_large()
        if size <= BODY_LIMIT:
            parts.append(part)
    if size > BODY_LIMIT:
        raise _too_large()
    return b"".join(parts)


async def _drain(scope: Scope, receive: Receive, declared: int) -> None:
    """Read and discard a body, so that its sender reads the answer instead of a broken connection."""
    if declared > DRAINED_BYTES or any(name == b"expect" for name, _ in scope["headers"]):
        return  # a client that sent Expect: 100-continue has not sent its body yet
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
