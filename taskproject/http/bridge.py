"""Plain HTTP under an ASGI server: requests are read by the event loop and answered by WSGI in pooled threads.

Django's own ASGI handler starts a thread and opens a database connection for every request. Here threads and their
connections persist, and a request costs one hand-over in each direction; a thread never waits for a slow client, nor
for something to happen. Figures: docs/decisions/0002-http-in-pooled-threads.md.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

import orjson

from taskproject.api.problems import CONTENT_TYPE, problem
from taskproject.api.waiting import WAITING, Places, Waiting
from taskproject.http.bodies import BodyRefused, Gone, Receive, Scope, read_body
from taskproject.http.notes import NOTES
from taskproject.http.pool import Job, ThreadPool

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: If a request takes longer, the server watches whether its client goes away.
WATCH_AFTER_SECONDS = 0.5
FILE_BLOCK_BYTES = 256 * 1024
#: Parts of a streamed answer that may wait for a slow reader.
STREAM_PARTS_AHEAD = 8
#: Requests answered at a time; others queue.
THREADS = 24
#: Requests that may wait at a time for something to happen; others are answered at once.
MOST_WAITING = 10_000
#: Of these, requests of one caller; others are refused.
MOST_WAITING_OF_ONE = 100


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
        """In the thread: hand over a part (None: that was all); False if nobody is reading any more."""
        while not self.room.acquire(timeout=1):
            if gone():
                return False
        self.loop.call_soon_threadsafe(self.parts.put_nowait, part)
        return True

    def cut(self) -> None:
        """In the thread: let the loop end the answer where it is, without completing it."""
        self.loop.call_soon_threadsafe(self.parts.put_nowait, Gone())


class _Exchange:
    """One request on its way through threads: one run, and another each time that what it waits for may be there."""

    __slots__ = (
        "_job",
        "_scope",
        "_watch",
        "body",
        "bridge",
        "gone",
        "headers",
        "loop",
        "receive",
        "status",
        "waiting",
        "woken",
    )

    def __init__(self, bridge: "ThreadedWSGI", scope: Scope, body: bytes, receive: Receive) -> None:
        self.bridge = bridge
        self.loop = asyncio.get_running_loop()
        self.receive = receive
        self.gone = False
        self.status = 500
        self.headers: Headers = []
        self.waiting = Waiting(bridge.places)
        #: Set while it waits; the result is whether to run it again.
        self.woken: asyncio.Future[bool] | None = None
        self.body = body
        self._scope = scope
        self._job: Job | None = None
        self._watch: asyncio.Task[None] | None = None

    async def run(self) -> "bytes | _Stream":
        """Let a thread run Django. Raises ``Gone`` if the client went away before a thread was free."""
        self.waiting.begin_run()
        self._job = Job(self.answer, self.loop)
        self.bridge.pool.submit(self._job)
        timer = self.loop.call_later(WATCH_AFTER_SECONDS, self.watch)
        try:
            return await self._job.future
        except asyncio.CancelledError:
            if self.gone:
                raise Gone from None
            self.gone = True
            raise
        finally:
            timer.cancel()
            self._job = None

    async def wait(self) -> bool:
        """Wait for what the view requested. Returns whether to run it again; False: its answer stands.

        Raises ``Gone`` if the client goes away.
        """
        waiting, bridge = self.waiting, self.bridge
        if self.gone:
            raise Gone
        if bridge.closing:
            return False
        if len(bridge.waiting) >= MOST_WAITING:
            waiting.over = True
            return not waiting.answer_stands
        woken = self.woken = self.loop.create_future()
        bridge.waiting.add(self)
        timer = self.loop.call_later(waiting.rest(), self._time_is_over)
        self.watch()
        try:
            waiting.seat.wait(self._wake)
            again = await woken
        finally:
            timer.cancel()
            bridge.waiting.discard(self)
            self.woken = None
        if self.gone:
            raise Gone
        return again

    def _wake(self) -> None:
        """What it waits for may be there; callable from any thread."""
        with suppress(RuntimeError):  # The loop is closed: the process is ending.
            self.loop.call_soon_threadsafe(self.settle, True)

    def _time_is_over(self) -> None:
        self.waiting.over = True
        self.settle(not self.waiting.answer_stands)

    def settle(self, again: bool) -> None:
        """End the wait, if any. In the loop's thread."""
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(again)

    def watch(self) -> None:
        """From now on notice when the client goes away."""
        if self._watch is None:
            self._watch = self.loop.create_task(self._notice_gone())

    async def _notice_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.settle(False)
        if self._job is not None:
            self.bridge.pool.cancel(self._job)

    def end(self) -> None:
        self.waiting.end()
        if self._watch is not None:
            self._watch.cancel()

    def client_gone(self) -> bool:
        """Whether nobody is waiting for the answer any more: the client went away, or the server is stopping."""
        return self.gone or self.bridge.closing

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    def answer(self) -> bytes | _Stream:
        """In a thread: run Django. Returns the whole body; the job of a stream is settled while it still runs."""
        environ = build_environ(self._scope, self.body)
        environ[WAITING] = self.waiting
        response = self.bridge.application(environ, self.start_response)
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
        stream, job = _Stream(self.loop), self._job
        assert job is not None
        self.loop.call_soon_threadsafe(job.settle, stream, None)
        try:
            for part in parts:
                if self.client_gone() or (part and not stream.push(part, self.client_gone)):
                    stream.cut()
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
        NOTES: scope.get(NOTES),
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue  # would be read as the header with dashes, bypassing a proxy that sets that one
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
    """Text as WSGI requires it: its UTF-8 bytes, each as one character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


class ThreadedWSGI:
    """An ASGI application that answers HTTP requests with ``application``, a WSGI one, ``threads`` at a time.

    A view may let its request wait (``taskproject.api.waiting``): then it holds no thread.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        *,
        threads: int = THREADS,
        on_thread_end: Callable[[], None] = lambda: None,
        on_thread_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.application = application
        self.pool = ThreadPool("http", threads, on_thread_end=on_thread_end, on_thread_idle=on_thread_idle)
        self.waiting: set[_Exchange] = set()
        self.places = Places(MOST_WAITING_OF_ONE)
        self.closing = False

    def stop_waiting(self) -> None:
        """Answer all waiting requests now, and let none wait any more: the server is about to stop."""
        self.closing = True
        for exchange in list(self.waiting):
            exchange.settle(False)

    def close(self) -> None:
        self.stop_waiting()
        self.pool.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(scope, receive)
        except BodyRefused as refused:
            await _refuse(send, refused.code, refused.detail)
            return
        except Gone:
            return
        exchange = _Exchange(self, scope, body, receive)
        try:
            answer = await exchange.run()
            while exchange.waiting.asked and await exchange.wait():
                answer = await exchange.run()
            if isinstance(answer, bytes):
                await send({"type": "http.response.start", "status": exchange.status, "headers": exchange.headers})
                await send({"type": "http.response.body", "body": answer})
            else:
                exchange.watch()
                await self._send_stream(exchange, answer, send)
        except Gone:
            return
        finally:
            exchange.end()

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


async def _refuse(send: Send, code: str, detail: str) -> None:
    answer = problem(code, detail)
    body = orjson.dumps(answer)
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": answer["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
