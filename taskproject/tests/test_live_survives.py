"""Many followers of real servers that disconnect, restart and lose Redis: each one's sequence equals the table's."""

import asyncio
import base64
import contextlib
import json
import os
import random
import socket as sockets
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from taskproject.tests.redis_server import RedisServer
from tasks import clock
from tasks.actions.agents import create_token
from tasks.events import kinds
from tasks.events.reading import Cursor, present_cursor, read_events
from tasks.events.recording import event, record
from tasks.models import Agent, Event
from tasks.tests.racing import in_thread
from tasks.tests.server_process import ServerProcess, wait_until
from tasks.tests.sizes import (
    LARGE_EVENTS,
    LARGE_EVENTS_A_SECOND,
    LIVE_EVENTS,
    LIVE_FOLLOWERS,
    LIVE_LEAVES,
    MUTE_CLIENTS,
    READING_CLIENTS,
)

websockets = pytest.importorskip("websockets.asyncio.client")
exceptions = pytest.importorskip("websockets.exceptions")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]

PATIENCE = 900
MEGABYTE = 1024 * 1024


def write(cast, word: str, filler: str = "") -> None:
    record(event(kinds.TASK_DELETED, at=clock.now(), actor=None, project=cast.ops, title=f"{word}\n{filler}"))


def word_of(data: dict[str, Any]) -> str:
    return data["title"].partition("\n")[0]


def token_of(agent: Agent) -> str:
    return create_token(actor=None, agent=agent, name="follower")[1]


class Follower:
    """A client of /ws/events that leaves ``leaves`` times at random, returns with its cursor, keeping what it receives.

    It also returns after its last leave, even if it has received everything by then.
    """

    def __init__(self, urls: list[str], token: str, after: Cursor, dice: random.Random, leaves: int) -> None:
        self.urls, self.token, self.cursor, self.dice, self.leaves = urls, token, str(after), dice, leaves
        self.words: list[str] = []
        self.connections = 0

    async def follow(self, last: str) -> None:
        """Follow until ``last`` was received and no leave is left; whatever ends a connection, another one follows."""
        stayed = False
        while not stayed:
            with contextlib.suppress(OSError, TimeoutError, exceptions.WebSocketException, EOFError):
                stayed = await self._listen(last)
            await asyncio.sleep(self.dice.uniform(0, 0.1))

    async def _listen(self, last: str) -> bool:
        """One connection: True if it ended because everything was received, and not by leaving."""
        # Any of the servers will do: the cursor is valid on all.
        address = self.dice.choice(self.urls).replace("http", "ws", 1)
        headers = {"Authorization": f"Bearer {self.token}"}
        wire = await websockets.connect(
            f"{address}/ws/events?after={self.cursor}",
            additional_headers=headers,
            open_timeout=60,
            close_timeout=2,
            max_size=None,
            proxy=None,
        )
        self.connections += 1
        leaving = self.leaves > 0
        self.leaves -= leaving
        try:
            async with asyncio.timeout(self.dice.uniform(0.01, 0.6) if leaving else None):
                # The first frame is the server's hello, even to a client that has received everything.
                while True:
                    self._hear(json.loads(await wire.recv()))
                    if last in self.words and not leaving:
                        return True
        finally:
            if self.dice.random() < 0.5:
                wire.transport.abort()
            else:
                await wire.close()

    def _hear(self, frame: dict[str, Any]) -> None:
        assert frame["type"] in ("hello", "events"), frame
        if frame["type"] == "events":
            self.words += [word_of(event["data"]) for event in frame["events"] if event["kind"] == kinds.TASK_DELETED]
            self.cursor = frame["cursor"]


def table_since(cast, after: Cursor) -> list[str]:
    """What a member of OPS may see after a position, from the table."""
    words: list[str] = []
    while True:
        events, after = read_events(user=cast.ada.user, after=after, limit=1000)
        if not events:
            return words
        words += [word_of(event.data) for event in events if event.kind == kinds.TASK_DELETED]


@pytest.fixture(scope="module", params=["poll", "redis"])
def redis(request) -> Generator[RedisServer | None, None, None]:
    """The bell between processes, or None if each has to poll."""
    server = RedisServer() if request.param == "redis" else None
    yield server
    if server is not None:
        server.close()


@pytest.fixture(scope="module")
def servers(
    django_db_setup: None, tmp_path_factory, redis: RedisServer | None
) -> Generator[list[ServerProcess], None, None]:
    """Two server processes on one database, the same for all tests that differ in what they write."""
    folder = tmp_path_factory.mktemp("servers")
    started = [ServerProcess(folder, REDIS_URL=redis.url if redis else "") for _ in range(2)]
    yield started
    for process in started:
        process.close()


def test_followers_that_are_cut_off_miss_and_repeat_nothing(cast, servers, redis):
    tokens = [token_of(cast.atlas), token_of(cast.bert), token_of(cast.hugo)]
    start = present_cursor()
    urls = [server.url for server in servers]
    followers = [
        Follower(urls, tokens[n % len(tokens)], start, random.Random(n), LIVE_LEAVES) for n in range(LIVE_FOLLOWERS)
    ]

    def disturb() -> None:
        """Concurrent writers; meanwhile a server is killed and restarted, and Redis loses everything."""

        def several(name: str, count: int) -> None:
            for number in range(count):
                write(cast, f"{name} {number}")
                if number % 25 == 0:
                    time.sleep(0.1)

        writers = [in_thread(lambda n=n: several(f"writer {n}", LIVE_EVENTS // 5)) for n in range(3)]
        time.sleep(1)
        servers[0].kill()
        if redis is not None:
            redis.kill()
        several("while one server is away", LIVE_EVENTS // 5)
        servers[0].start()
        if redis is not None:
            redis.start()
        for writer in writers:
            writer.join()
        several("burst", LIVE_EVENTS - 4 * (LIVE_EVENTS // 5))
        write(cast, "last")

    async def story() -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(follower.follow("last") for follower in followers))

    trouble = in_thread(disturb)
    asyncio.run(story())
    trouble.join()
    table = table_since(cast, start)
    assert len(table) == LIVE_EVENTS + 1
    for number, follower in enumerate(followers):
        assert follower.words == table, f"follower {number} has another sequence"
        assert follower.connections > LIVE_LEAVES, f"follower {number} did not come back each time"
    # Written concurrently, but the order in which they were committed is the same for all.
    assert Event.objects.filter(kind=kinds.TASK_DELETED).count() == len(table)


def test_event_of_one_process_reaches_followers_of_the_other(cast, servers, redis):
    """With the bell at once, without it by polling: this checks that each follower gets it at all, and once."""
    start = present_cursor()
    token = token_of(cast.atlas)
    followers = [Follower([server.url], token, start, random.Random(1), 0) for server in servers]

    async def story() -> None:
        async with asyncio.timeout(PATIENCE):
            listening = [asyncio.create_task(follower.follow("last")) for follower in followers]
            for number in range(20):
                await asyncio.to_thread(in_thread(lambda n=number: write(cast, f"w{n}")).join)
            await asyncio.to_thread(in_thread(lambda: write(cast, "last")).join)
            await asyncio.gather(*listening)

    asyncio.run(story())
    for follower in followers:
        assert follower.words == [*(f"w{n}" for n in range(20)), "last"]


class Mute:
    """A client that opens a socket and never reads from it."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self.wire = sockets.create_connection((parts.hostname, parts.port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.wire.sendall(
            f"GET /ws/events HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        assert b" 101 " in self.wire.recv(200)

    def close(self) -> None:
        self.wire.close()


def memory_of(process: ServerProcess) -> int:
    """Resident bytes of the server process."""
    for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def connections_of(process: ServerProcess) -> int:
    """How many clients are connected to the server process."""
    port = f":{process.port:04X} "
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    # Columns of proc(5): local address, remote address, state; 01 is established.
    return sum(1 for row in rows if f"{row.split()[1]} ".endswith(port) and row.split()[3] == "01")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Only on Linux: memory is read from /proc")
def test_clients_that_never_read_cost_no_memory_and_keep_nobody_waiting(cast, tmp_path):
    server = ServerProcess(tmp_path, REDIS_URL="")
    try:
        token = token_of(cast.atlas)
        start = present_cursor()
        followers = [Follower([server.url], token, start, random.Random(n), 0) for n in range(READING_CLIENTS)]
        # Far more than the kernel and the server buffer for one client.
        count, size = LARGE_EVENTS, 8000
        mutes: list[Mute] = []

        def several(begin: int) -> None:
            for number in range(begin, begin + count):
                write(cast, f"w{number}", filler="x" * size)
                time.sleep(1 / LARGE_EVENTS_A_SECOND)

        async def send(begin: int) -> None:
            await asyncio.to_thread(in_thread(lambda: several(begin)).join)
            while not all(len(follower.words) >= begin + count for follower in followers):
                await asyncio.sleep(0.05)

        async def story() -> int:
            async with asyncio.timeout(PATIENCE):
                listening = [asyncio.create_task(follower.follow("last")) for follower in followers]
                while not all(follower.connections for follower in followers):
                    await asyncio.sleep(0.05)
                # The cost of the events with readers alone is not measured.
                await send(0)
                before = memory_of(server)
                mutes.extend(Mute(server.url, token) for _ in range(MUTE_CLIENTS))
                await send(count)
                grown = memory_of(server) - before
                await asyncio.to_thread(in_thread(lambda: write(cast, "last")).join)
                await asyncio.gather(*listening)
            return grown

        grown = asyncio.run(story())
        assert grown < 50 * MEGABYTE, f"{MUTE_CLIENTS} clients that never read cost {grown / MEGABYTE:.0f} MB"
        wanted = [*(f"w{n}" for n in range(2 * count)), "last"]
        assert all(follower.words == wanted for follower in followers)
        assert all(follower.connections == 1 for follower in followers), "none was taken for a slow one"
        for mute in mutes:
            mute.close()
    finally:
        server.close()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Only on Linux: connections are read from /proc")
def test_clients_that_answer_no_ping_are_disconnected(cast, tmp_path):
    """Though what was sent to them is still on its way: a plain close would wait until they have read it."""
    pings = "import django; django.setup(); from taskproject.server import embedded; embedded.PING_SECONDS = 1.0"
    server = ServerProcess(tmp_path, first=pings, REDIS_URL="")
    try:
        token = token_of(cast.atlas)
        mutes = [Mute(server.url, token) for _ in range(3)]
        assert connections_of(server) == len(mutes)
        for number in range(LARGE_EVENTS // 2):
            write(cast, f"w{number}", filler="x" * 8000)
        wait_until(lambda: connections_of(server) == 0, "the server has let go of clients that never read")
        for mute in mutes:
            mute.close()
    finally:
        server.close()
