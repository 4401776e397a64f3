"""The server of ``manage.py up``: uvicorn in this process, with the engine in a thread and demo agents beside it."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from taskproject.http.connections import ACCEPTED_AT_ONCE, raise_file_limit
from taskproject.http.protocol import BoundedProtocol, BoundedSocket
from taskproject.server.address import BACKLOG
from tasks import engine
from tasks.demo.fleet import Fleet

#: How long running requests may take to end once the server was asked to stop.
GRACE_SECONDS = 4
#: How long demo agents have to release their tasks while the server still answers them.
FLEET_GRACE_SECONDS = 2.0
#: Longer than a third of a lease, so that a client keeps its connection between two heartbeats.
KEEP_ALIVE_SECONDS = 75
#: Clients write over HTTP; what they send over a socket is small.
SOCKET_MESSAGE_BYTES = 64 * 1024
#: How often a client on a socket is asked whether it is there, and how long it has to answer.
PING_SECONDS = 20.0


class EmbeddedServer(uvicorn.Server):
    """Serves until SIGINT or SIGTERM; then agents stop first, requests next, the engine last.

    ``on_ready`` is called once it serves, ``release`` when all waiting calls and streams must end.
    """

    def __init__(self, *, fleet: Fleet | None, on_ready: Callable[[], None], release: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                "taskproject.asgi:application",
                http=BoundedProtocol,
                ws=BoundedSocket,
                ws_max_size=SOCKET_MESSAGE_BYTES,
                ws_ping_interval=PING_SECONDS,
                ws_ping_timeout=PING_SECONDS,
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
                # For asyncio this is also how many it accepts at a time.
                backlog=ACCEPTED_AT_ONCE,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                lifespan="on",
            )
        )
        self.release = release
        self.fleet = fleet
        self.on_ready = on_ready
        self._stop_at: float | None = None

    def serve_until_stopped(self, listener: socket.socket) -> None:
        """Run server, engine and agents; returns when all have ended."""
        raise_file_limit()
        stop_engine = threading.Event()
        time_keeper = threading.Thread(target=engine.run, args=(stop_engine,), name="engine", daemon=True)
        time_keeper.start()
        try:
            self.run(sockets=[listener])
        finally:
            if self.fleet is not None:
                self.fleet.stop()
            stop_engine.set()
            time_keeper.join(5)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            # The start has lowered it to what is accepted at a time.
            listener.listen(BACKLOG)
        if self.fleet is not None:
            self.fleet.start()
        self.on_ready()

    async def on_tick(self, counter: int) -> bool:
        if self._stop_at is not None:
            over = self.fleet is None or not self.fleet.running() or time.monotonic() >= self._stop_at
            if over or self.force_exit:
                self.release()
                self.should_exit = True
        elif self.fleet is not None and counter % 10 == 0:
            await asyncio.get_running_loop().run_in_executor(None, self.fleet.tend)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Both signals are a normal end: unlike in uvicorn, they are not raised again afterwards."""
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._stop_at is not None:
            self.force_exit = True
            return
        self._stop_at = time.monotonic() + FLEET_GRACE_SECONDS
        if self.fleet is not None:
            self.fleet.ask_to_stop()
