"""Raw connections to the server of ``up``: slow, long, many, and never reading. Nobody keeps others out."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from uvicorn.server import ServerState

from taskproject.http import protocol
from taskproject.http.connections import Connections
from taskproject.http.protocol import BoundedProtocol, BoundedSocket

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
SOCKET = HEAD + (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
#: A limit that a test waits for, and one that it must not reach.
SOON, LATE = 0.05, 60.0
PATIENCE = 20


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    while (await receive()).get("more_body"):
        pass
    size = int(scope["query_string"] or b"2")
    length = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"x" * size})


class Server:
    """The protocol on a free port, with a small application behind it."""

    def __init__(self, most: int) -> None:
        self.config = uvicorn.Config(
            application, http=BoundedProtocol, ws=BoundedSocket, log_config=None, lifespan="off"
        )
        self.state = ServerState()
        self.wires: list[Wire] = []
        self.connections = Connections(most)
        self.state.bounded_connections = self.connections  # type: ignore[attr-defined]

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: BoundedProtocol(config=self.config, server_state=self.state, app_state={}), "127.0.0.1", 0
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def call(self, *parts: bytes) -> "Wire":
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        self.wires.append(wire)
        await wire.send(*parts)
        return wire


class Wire:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def status(self) -> int:
        """The status of the next answer; 0 if the connection ends without one."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 0
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
        self.body = await self.reader.readexactly(length)
        return int(head.split()[1])

    async def ended(self) -> bool:
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True


def with_server(story: Callable[[Server], Awaitable[None]], *, most: int = 100) -> None:
    async def tell() -> None:
        server = Server(most)
        await server.start()
        try:
            async with asyncio.timeout(PATIENCE):
                await story(server)
        finally:
            server.server.close()
            for wire in server.wires:
                wire.writer.transport.abort()
            await until(lambda: not server.state.connections)

    asyncio.run(tell())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("head", [HEAD, SOCKET, b"G"])
def test_half_a_head_is_given_up_with_an_answer(monkeypatch, head):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", SOON)

    async def story(server: Server) -> None:
        wire = await server.call(head)
        assert await wire.status() == 408
        assert json.loads(wire.body)["code"] == "request_timeout"
        assert await wire.ended()
        await until(lambda: server.connections.count == 0)

    with_server(story)


def test_connection_that_sends_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", SOON)

    async def story(server: Server) -> None:
        assert await (await server.call()).ended()

    with_server(story)


def test_half_of_a_second_head_is_given_up_and_dripping_does_not_help(monkeypatch):
    async def story(server: Server) -> None:
        wire = await server.call(HEAD, b"\r\n")
        assert await wire.status() == 200
        # Not before: a first head that is sent at once must not be late on a busy machine.
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
        answer = asyncio.create_task(wire.status())
        for letter in b"GET / HTTP/1.1\r\nX: " + b"x" * 1000:
            if answer.done():
                break
            await wire.send(bytes([letter]))
            await asyncio.sleep(0.02)
        assert await answer == 408

    with_server(story)


def test_kept_connection_is_not_taken_for_a_slow_head(monkeypatch):
    async def story(server: Server) -> None:
        wire = await server.call(HEAD, b"\r\n")
        assert await wire.status() == 200
        monkeypatch.setattr(protocol, "HEAD_SECONDS", SOON)
        await wire.send(HEAD + b"\r\n")
        assert await wire.status() == 200
        await asyncio.sleep(3 * SOON)
        await wire.send(HEAD + b"\r\n")
        assert await wire.status() == 200

    with_server(story)


@pytest.mark.parametrize("start", [HEAD, SOCKET])
def test_head_that_is_too_long_is_answered(start):
    async def story(server: Server) -> None:
        wire = await server.call(start + b"X: " + b"x" * 70_000)
        assert await wire.status() == 431
        assert json.loads(wire.body)["code"] == "head_too_large"

    with_server(story)


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"\r\n", 101),
        (b"Cookie: " + b"x" * 8_000 + b"\r\n\r\n", 101),
        (b"Cookie: " + b"x" * 9_000 + b"\r\n\r\n", 431),
        (b"".join(b"X-%d: x\r\n" % n for n in range(130)) + b"\r\n", 431),
        (b"Content-Length: 5\r\n\r\nhello", 400),
    ],
)
def test_opening_of_a_socket_is_always_answered(rest, status):
    async def story(server: Server) -> None:
        wire = await server.call(SOCKET + rest)
        assert await wire.status() == status

    with_server(story)


def test_long_address_of_a_socket_is_answered():
    async def story(server: Server) -> None:
        wire = await server.call(SOCKET.replace(b"GET /", b"GET /?after=" + b"x" * 9_000) + b"\r\n")
        assert await wire.status() == 431

    with_server(story)


def test_what_is_no_http_is_answered():
    async def story(server: Server) -> None:
        assert await (await server.call(b"\x16\x03\x01 hello\r\n\r\n")).status() == 400

    with_server(story)


def test_oldest_incomplete_connections_make_room():
    async def story(server: Server) -> None:
        slow = [await server.call(HEAD) for _ in range(10)]
        await until(lambda: server.connections.count == 10)
        newcomers = [await server.call(HEAD, b"\r\n") for _ in range(3)]
        assert [await wire.status() for wire in newcomers] == [200, 200, 200]
        assert [await wire.ended() for wire in slow[:3]] == [True, True, True]
        await slow[3].send(b"\r\n")
        assert await slow[3].status() == 200

    with_server(story, most=10)


def test_newcomer_is_refused_if_all_others_are_being_served():
    async def story(server: Server) -> None:
        sockets = [await server.call(SOCKET, b"\r\n") for _ in range(5)]
        assert [await wire.status() for wire in sockets] == [101] * 5
        wire = await server.call(HEAD, b"\r\n")
        assert await wire.status() == 503
        assert json.loads(wire.body)["code"] == "unavailable"
        sockets[0].writer.transport.abort()
        await until(lambda: server.connections.count < 5)
        assert await (await server.call(HEAD, b"\r\n")).status() == 200

    with_server(story, most=5)


def test_room_is_made_by_the_address_that_has_most():
    closed = []
    connections = Connections(4)

    def come(name: str, address: str) -> bool:
        return connections.add(name, address, lambda: closed.append(name))

    for name, address in (("a1", "a"), ("b1", "b"), ("b2", "b"), ("b3", "b")):
        assert come(name, address)
    assert come("c1", "c")
    assert closed == ["b1"]
    connections.remove("b1", "b")
    for name in ("b2", "b3", "a1", "c1"):
        connections.is_complete(name, name[0])
    assert not come("d1", "d")
    assert (closed, connections.count) == (["b1"], 5)


def test_client_that_never_reads_is_disconnected(monkeypatch):
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.2)

    async def story(server: Server) -> None:
        wire = await server.call(HEAD.replace(b"/ ", b"/?100000000 "), b"\r\n")
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.connections.count == 1)
        await until(lambda: server.connections.count == 0)

    with_server(story)


def test_client_that_reads_slowly_gets_everything(monkeypatch):
    monkeypatch.setattr(protocol, "READ_SECONDS", 1.0)

    async def story(server: Server) -> None:
        size = 30_000_000
        wire = await server.call(HEAD.replace(b"/ ", b"/?%d " % size), b"Connection: close\r\n\r\n")
        await wire.reader.readuntil(b"\r\n\r\n")
        got = 0
        while part := await wire.reader.read(4_000_000):
            got += len(part)
            await asyncio.sleep(0.01)
        assert got == size

    with_server(story)
