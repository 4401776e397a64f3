"""A real HTTP server on this machine that receives webhooks, and answers as a test says."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


#: Writes an answer; gets the handler of the request and what was received.
Reply = Callable[[BaseHTTPRequestHandler, Received], None]


def answer(status: int = 204, body: bytes = b"", **headers: str) -> Reply:
    """The same answer to each request; ``Retry_After="5"`` is a header."""

    def reply(handler: BaseHTTPRequestHandler, received: Received) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


class Receiver:
    """What was received, and how the next requests are answered: by ``replies`` in turn, then by ``reply``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[Received] = []
        self.reply: Reply = answer()
        self.replies: list[Reply] = []
        self.lock = threading.Lock()
        #: Requests that are being answered, and the most that ever were.
        self.inside = self.most_inside = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.received]


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        here = self.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with here.lock:
            here.received.append(received)
            reply = here.replies.pop(0) if here.replies else here.reply
            here.inside += 1
            here.most_inside = max(here.most_inside, here.inside)
        try:
            reply(self, received)
        except OSError:
            pass  # the sender has had enough
        finally:
            with here.lock:
                here.inside -= 1

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is part of the tests."""


@contextmanager
def receiving(wrap: Callable[[Any], Any] | None = None) -> Generator[Receiver, None, None]:
    """A receiver on a free port; ``wrap`` its listening socket, as in TLS."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if wrap is not None:
        server.socket = wrap(server.socket)
    handler.receiver = receiver = Receiver(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
