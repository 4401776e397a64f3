"""HTTP/1.1 and sockets of ``manage.py up``: uvicorn's, with limits on headers and on clients that do not respond."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: Request line and headers together. Without a limit a client could fill the memory with one endless header.
MAX_HEAD_BYTES = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 and closes if the request line and headers exceed ``MAX_HEAD_BYTES``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._completed = 0

    def data_received(self, data: bytes) -> None:
        completed = self._completed
        super().data_received(data)
        # Checked afterwards: the same data may hold the end of this head and a long body, or the end of the last body.
        if self._in_head and self._completed == completed:
            self._head_bytes += len(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Request line and headers are too long.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._completed += 1
        super().on_message_complete()


class BoundedSocket(WebSocketsSansIOProtocol):
    """Disconnects a client that answers no ping: a plain close would first wait until it has read what was sent."""

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()
