"""HTTP/1.1 and sockets of ``manage.py up``: uvicorn's, with limits on heads and on clients that do not respond.

Plain uvicorn takes them by name: ``--http taskproject.http.protocol:BoundedProtocol`` and ``--ws …:BoundedSocket``.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

from taskproject.http.connections import Connections, most_connections

#: Request line and headers together. Without a limit a client could fill the memory with one endless header.
MAX_HEAD_BYTES = 64 * 1024
#: A request line with its headers that is not complete by then is given up: 600 such connections once kept all others
#: out.
HEAD_SECONDS = 20.0
#: A client that has read nothing of an answer for this long is disconnected: it holds memory, and for a streamed answer
#: a thread.
READ_SECONDS = 60.0
RETRY_AFTER_SECONDS = 5
#: How long what a refused client still sends is read and discarded.
LINGER_SECONDS = 1.0
#: How many may do so beyond the number of connections.
MOST_LINGERING = 32

TOO_LONG = "The request line and headers are longer than 64 kB; send shorter ones."
TOO_LONG_FOR_SOCKET = (
    f"A socket opens with lines of at most {MAX_LINE_LENGTH // 1024} kB and at most {MAX_NUM_HEADERS} headers."
)


def connections_of(state: ServerState) -> Connections:
    """The connections of the server with this state."""
    made: Connections | None = getattr(state, "bounded_connections", None)
    if made is None:
        made = Connections(most_connections())
        state.bounded_connections = made  # type: ignore[attr-defined]
    return made


class BoundedProtocol(HttpToolsProtocol):
    """Refuses heads that are too long or too slow, and clients that are too many or never read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._completed = 0
        self._address = ""
        self._registry: Connections | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._unread = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._registry = connections_of(self.server_state)
        if self._registry.add(self, self._address, self.transport.abort):
            self._await_head()
        else:
            self._refuse("unavailable", "Too many connections are open; try again in a few seconds.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self._unregister()
        super().connection_lost(exc)

    def _unregister(self) -> None:
        if self._registry is not None:
            self._registry.remove(self, self._address)
            self._registry = None

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._read_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._read_timer = None

    # Heads.

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # Half of a next request behind one that is being answered: that answer comes first.
            self._await_head()
        elif self._head_bytes:
            self._refuse("request_timeout", f"The request line and headers did not come within {HEAD_SECONDS:.0f} s.")
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        completed = self._completed
        super().data_received(data)
        # Checked afterwards: the same data may hold the end of this head and a long body, or the end of the last body.
        if not self._in_head or self._refused or self._registry is None:
            return
        if self._completed == completed:
            self._head_bytes += len(data)
            self._await_head()
        elif self.timeout_keep_alive_task is None and self.cycle is not None and self.cycle.response_complete:
            # The rest of a body that came after its answer.
            self._registry.is_incomplete(self, self._address, self.transport.abort)
            self._await_head()
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse("head_too_large", TOO_LONG)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._completed += 1
        if self._registry is not None:
            self._registry.is_complete(self, self._address)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._registry is not None and not self.pipeline and not self.transport.is_closing():
            self._registry.is_incomplete(self, self._address, self.transport.abort)
        if self.transport.get_write_buffer_size():
            self._await_reading()

    def handle_websocket_upgrade(self) -> None:
        headers = self.headers
        longest = max((len(name) + len(value) for name, value in headers), default=0)
        request_line = len(self.url) + len(b"GET  HTTP/1.1\r\n")
        if max(request_line, longest + len(b": \r\n")) > MAX_LINE_LENGTH or len(headers) > MAX_NUM_HEADERS:
            self._refuse("head_too_large", TOO_LONG_FOR_SOCKET)
            return
        self._stop_timers()
        super().handle_websocket_upgrade()
        socket = self.transport.get_protocol()
        if isinstance(socket, BoundedSocket):
            socket.registry, self._registry = self._registry, None
        else:
            self._unregister()  # Uvicorn was started with other sockets, which nobody counts.
        if not getattr(socket, "handshake_initiated", True):
            # The library behind the sockets gives a head that it cannot read up without an answer.
            self._refuse("validation_error", "This is not the opening of a socket.")

    def _refuse(self, code: str, detail: str) -> None:
        """Answer with a problem and close."""
        # Imported late: uvicorn loads this module by its name before the application, and with it the settings.
        from taskproject.api.problems import CONTENT_TYPE, problem

        answer = problem(code, detail)
        body = orjson.dumps(answer)
        head = [STATUS_LINE[answer["status"]], b"content-type: ", CONTENT_TYPE.encode(), b"\r\n"]
        if code == "unavailable":
            head.append(b"retry-after: %d\r\n" % RETRY_AFTER_SECONDS)
        head.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self._refused = True
        self.transport.write(b"".join(head) + body)
        if self._registry is not None and self._registry.count > self._registry.most + MOST_LINGERING:
            self.transport.close()
            return
        # Closing while something is still arriving would reset the connection before the answer is read.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        self._refuse("validation_error", "This is not a request in HTTP/1.1.")

    # Clients that do not read.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _await_reading(self) -> None:
        if self._read_timer is None:
            self._unread = self.transport.get_write_buffer_size()
            self._read_timer = self.loop.call_later(READ_SECONDS, self._see_whether_it_reads)

    def _see_whether_it_reads(self) -> None:
        self._read_timer = None
        unread = self.transport.get_write_buffer_size()
        # Nothing is added while writing is paused, so anything that was read makes it smaller.
        if unread and unread >= self._unread:
            self.transport.abort()
        elif unread:
            self._await_reading()


class BoundedSocket(WebSocketsSansIOProtocol):
    """Disconnects a client that answers no ping: a plain close would first wait until it has read what was sent."""

    #: Counts it until it ends.
    registry: Connections | None = None

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.registry is not None:
            self.registry.count -= 1
            self.registry = None
        super().connection_lost(exc)
