"""Plain HTTP under an ASGI server: requests are read by the event loop and answered by WSGI in pooled threads.

Django's own ASGI handler starts a thread and opens a database connection for every request. Here threads and their
connections live on, and a request costs one hand-over there and one back; a thread never waits for a client that
sends or reads slowly. Figures: docs/decisions/0002-http-in-pooled-threads.md.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

import orjson

from taskproject.api.problems import CONTENT_TYPE, problem
from taskproject.http.pool import Job, ThreadPool

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: What a request may carry; the API's contract says 1 MB.
MAX_BODY_BYTES = 1024 * 1024
#: What is read and thrown away of a body that is too large, so that its sender gets to read the answer.
DRAINED_BYTES = 16 * 1024 * 1024
#: A body that has not come in whole by then is given up.
BODY_SECONDS = 60
#: A request that takes longer is watched for its client going away.
WATCH_AFTER_SECONDS = 0.5
FILE_BLOCK_BYTES = 256 * 1024
#: Parts of a streamed answer that may wait for a slow reader.
STREAM_PARTS_AHEAD = 8
#: Ordinary requests answered at a time, and long polls that wait at a time; more queue up.
THREADS, WAITING_THREADS = 24, 40

#: In ``environ``: a callable that says whether nobody waits for the answer any more (the client went away, or the
#: server stops). A view that waits should ask it before it does something for the client.
CLIENT_GONE = "taskproject.client_gone"


class _TooLarge(Exception):
    pass


class _BadLength(Exception):
    pass


class _Incomplete(Exception):
    pass


class _FileWrapper:
    """``wsgi.file_wrapper``: a file in large blocks; each block is a trip between threads."""

    def __init__(self, file: BinaryIO, block_size: int = 0) -> None:
        self.file = file
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while block := self.file.read(FILE_BLOCK_BYTES):
            yield block


class _Stream:
    """The parts of a streamed answer on their way from a thread to the loop, a few ahead of a slow reader."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.parts: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self.room = threading.Semaphore(STREAM_PARTS_AHEAD)

    def push(self, part: bytes | BaseException | None, gone: Callable[[], bool]) -> bool:
        """In the thread: hand over a part (None: that was all); False where nobody reads on."""
        while not self.room.acquire(timeout=1):
            if gone():
                return False
        self.loop.call_soon_threadsafe(self.parts.put_nowait, part)
        return True


class _Exchange:
    """One request on its way through a thread."""

    __slots__ = ("bridge", "environ", "gone", "headers", "job", "loop", "status")

    def __init__(self, bridge: "ThreadedWSGI", scope: Scope, body: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self.bridge = bridge
        self.loop = loop
        self.gone = False
        self.status = 500
        self.headers: Headers = []
        self.environ = build_environ(scope, body)
        self.environ[CLIENT_GONE] = self.client_gone
        self.job = Job(self.answer, loop)

    def client_gone(self) -> bool:
        return self.gone or self.bridge.closing

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    def answer(self) -> bytes | _Stream:
        """In a thread: run Django. Returns the whole body; a stream has its job settled while it still runs."""
        response = self.bridge.application(self.environ, self.start_response)
        try:
            if isinstance(response, _FileWrapper):
                first = response.file.read(FILE_BLOCK_BYTES)
                if len(first) < FILE_BLOCK_BYTES:
                    return first
                return self._stream(chain([first], response))
            if getattr(response, "streaming", False):
                return self._stream(response)
            return b"".join(response)
        finally:
            response.close()

    def _stream(self, parts: Iterable[bytes]) -> _Stream:
        stream = _Stream(self.loop)
        self.loop.call_soon_threadsafe(self.job.settle, stream, None)
        try:
            for part in parts:
                if self.client_gone() or (part and not stream.push(part, self.client_gone)):
                    return stream
        except Exception as error:
            stream.push(error, self.client_gone)
        else:
            stream.push(None, self.client_gone)
        return stream


def build_environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an ASGI HTTP scope whose body has been read."""
    root = scope.get("root_path", "")
    raw_path = scope.get("raw_path")
    path = unquote_to_bytes(raw_path).decode("latin-1") if raw_path else _latin1(scope["path"])
    root = _latin1(root)
    if root and path.startswith(root):
        path = path[len(root) :]
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root,
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _FileWrapper,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue  # would be read as the header with dashes: a way past a proxy that sets that one
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _latin1(text: str) -> str:
    """Text as WSGI wants it: its UTF-8 bytes, each as one character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


class ThreadedWSGI:
    """An ASGI application that answers HTTP requests with ``application``, a WSGI one.

    ``threads`` work for ordinary requests; requests whose path (without a trailing slash) is one of ``waiting_paths``,
    the long polls, have ``waiting_threads`` of their own: as many can wait without anyone else being kept waiting.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        *,
        threads: int = THREADS,
        waiting_paths: Iterable[str] = (),
        waiting_threads: int = WAITING_THREADS,
        on_thread_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.application = application
        self.pool = ThreadPool("http", threads, on_thread_end=on_thread_end)
        self.waiting_pool = ThreadPool("http-waiting", waiting_threads, on_thread_end=on_thread_end)
        self.waiting_paths = frozenset(waiting_paths)
        self.closing = False

    def stop_waiting(self) -> None:
        """Tell views that wait for something to answer now: the server is about to stop."""
        self.closing = True

    def close(self) -> None:
        self.closing = True
        self.pool.close()
        self.waiting_pool.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(scope, receive)
        except _TooLarge:
            await _refuse(send, "body_too_large", "The body is larger than 1 MB; send less at a time.")
            return
        except _BadLength:
            await _refuse(send, "validation_error", "Content-Length is not a number.")
            return
        except TimeoutError:
            await _refuse(send, "request_timeout", f"The body did not come within {BODY_SECONDS} seconds.")
            return
        except _Incomplete:
            return
        loop = asyncio.get_running_loop()
        exchange = _Exchange(self, scope, body, loop)
        waits = self.waiting_paths and scope["path"].rstrip("/") in self.waiting_paths
        pool = self.waiting_pool if waits else self.pool
        pool.submit(exchange.job)
        watch = _Watch(exchange, pool, receive)
        timer = loop.call_later(WATCH_AFTER_SECONDS, watch.begin)
        try:
            answer = await exchange.job.future
            if isinstance(answer, bytes):
                await send({"type": "http.response.start", "status": exchange.status, "headers": exchange.headers})
                await send({"type": "http.response.body", "body": answer})
            else:
                watch.begin()
                await self._send_stream(exchange, answer, send)
        except asyncio.CancelledError:
            exchange.gone = True
            if not watch.dropped:
                raise
        finally:
            timer.cancel()
            watch.end()

    async def _send_stream(self, exchange: _Exchange, stream: _Stream, send: Send) -> None:
        await send({"type": "http.response.start", "status": exchange.status, "headers": exchange.headers})
        while not exchange.gone:
            part = await stream.parts.get()
            if isinstance(part, BaseException):
                raise part
            await send({"type": "http.response.body", "body": part or b"", "more_body": part is not None})
            if part is None:
                return
            stream.room.release()


class _Watch:
    """Notices that the client of a long request went away."""

    __slots__ = ("dropped", "exchange", "pool", "receive", "task")

    def __init__(self, exchange: _Exchange, pool: ThreadPool, receive: Receive) -> None:
        self.exchange = exchange
        self.pool = pool
        self.receive = receive
        self.task: asyncio.Task | None = None
        self.dropped = False

    def begin(self) -> None:
        if self.task is None:
            self.task = self.exchange.loop.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.exchange.gone = True
        self.dropped = self.pool.cancel(self.exchange.job)

    def end(self) -> None:
        if self.task is not None:
            self.task.cancel()


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises ``_TooLarge``, ``_Incomplete`` (the client went away), ``TimeoutError``."""
    declared = None
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise _BadLength
            declared = int(value)
        elif name == b"transfer-encoding":
            declared = -1
    if declared is None or declared == 0:
        return b""
    if declared > MAX_BODY_BYTES:
        await _drain(scope, receive, declared)
        raise _TooLarge
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _Incomplete
    body = message.get("body", b"")
    if message.get("more_body"):
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_rest(body, receive)
    if len(body) > MAX_BODY_BYTES:
        raise _TooLarge
    return body


async def _read_rest(first: bytes, receive: Receive) -> bytes:
    parts, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Incomplete
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > DRAINED_BYTES:
            raise _TooLarge
        if size <= MAX_BODY_BYTES:
            parts.append(part)
    if size > MAX_BODY_BYTES:
        raise _TooLarge
    return b"".join(parts)


async def _drain(scope: Scope, receive: Receive, declared: int) -> None:
    """Read a body away, so that its sender reads the answer instead of a broken connection."""
    if declared > DRAINED_BYTES or any(name == b"expect" for name, _ in scope["headers"]):
        return  # a client that asks first (Expect: 100-continue) has sent nothing yet
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


async def _refuse(send: Send, code: str, detail: str) -> None:
    told = problem(code, detail)
    body = orjson.dumps(told)
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": told["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
