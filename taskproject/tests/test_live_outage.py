"""PostgreSQL crashes and returns beneath open streams of two servers: they go on, nothing is missed or comes twice."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from tasks.tests.postgres_server import PostgresServer
from tasks.tests.racing import process_environment
from tasks.tests.server_process import ServerProcess, wait_until
from tasks.tests.sizes import CRASHES

websockets = pytest.importorskip("websockets.asyncio.client")
websockets_exceptions = pytest.importorskip("websockets.exceptions")

pytestmark = [pytest.mark.server, pytest.mark.slow]

#: Seconds.
PATIENCE = 300
WRITERS = 3


@pytest.fixture
def postgres() -> Generator[PostgresServer, None, None]:
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def servers(postgres, tmp_path: Path) -> Generator[list[ServerProcess], None, None]:
    """Two on the same database, with nothing between them but that."""
    started: list[ServerProcess] = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        started.append(ServerProcess(folder, DATABASE_URL=postgres.url, REDIS_URL="", DATA_DIR=str(tmp_path)))
    yield started
    for server in started:
        server.close()


def manage(postgres: PostgresServer, folder: Path, *arguments: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "manage.py", *arguments, "--json"],
        env=process_environment(DATABASE_URL=postgres.url, REDIS_URL="", DATA_DIR=str(folder)),
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


class Writer:
    """Creates tasks, one after the other, until it is stopped; asks again until it is answered."""

    def __init__(self, number: int, url: str, token: str) -> None:
        self.number = number
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        self.acknowledged: list[str] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            self.create(f"{self.number}.{turn}")
            time.sleep(0.01)

    def create(self, title: str) -> None:
        body = {"project": "OPS", "title": title}
        key = str(uuid.uuid4())
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.http.post("/tasks", json=body, headers={"Idempotency-Key": key})
                if answer.status_code == 201:
                    self.acknowledged.append(title)
                    return
                assert answer.status_code in (409, 503), answer.text
            assert time.monotonic() < until, "nobody answers"
            time.sleep(0.1)

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def titles(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["title"] for event in events if event["kind"] == "task.created"]


async def heard_over_a_socket(url: str, token: str, cursor: str) -> AsyncIterator[str]:
    """Titles of tasks, from one socket that must stay open."""
    address = f"{url.replace('http', 'ws', 1)}/ws/events?after={cursor}"
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(address, additional_headers=headers, open_timeout=60, proxy=None) as wire:
        async for frame in wire:
            message = json.loads(frame)
            assert message["type"] in ("hello", "events"), message
            for title in titles(message.get("events", [])):
                yield title


async def heard_as_server_sent_events(url: str, token: str, cursor: str) -> AsyncIterator[str]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        http.stream("GET", f"{url}/api/v1/events", params={"after": cursor}) as answer,
    ):
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data: {") and len(line) > len("data: {}"):
                for title in titles([json.loads(line.removeprefix("data: "))]):
                    yield title


async def collect(heard: AsyncIterator[str], seen: list[str]) -> None:
    async for title in heard:
        seen.append(title)
        if title == "last":
            return
    raise AssertionError(f"the stream ended after {len(seen)} events")


def table(url: str, token: str, cursor: str) -> list[str]:
    seen: list[str] = []
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        while True:
            page = http.get(f"{url}/api/v1/events", params={"after": cursor, "limit": 1000}).json()
            if not page["events"]:
                return seen
            seen += titles(page["events"])
            cursor = page["cursor"]


def test_streams_go_on_after_postgresql_crashed(postgres, servers, tmp_path):
    manage(postgres, tmp_path, "add_project", "OPS", "--name", "Operations")
    arguments = ("--kind", "human", "--project", "OPS", "--role", "manager", "--token", "test")
    token = manage(postgres, tmp_path, "add_agent", "ada", *arguments)["token"]
    urls = [server.url for server in servers]
    present = httpx.get(f"{urls[0]}/api/v1/events?after=now", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    cursor = present.json()["cursor"]
    writers: list[Writer] = []
    sequences: list[list[str]] = []

    def disturb() -> None:
        wait_until(lambda: all(sequences), "every stream brings events")
        for _ in range(CRASHES):
            postgres.crash()
            time.sleep(0.5)
            postgres.start()
            before = [len(writer.acknowledged) for writer in writers]
            until = time.monotonic() + PATIENCE
            while any(len(writer.acknowledged) < count + 5 for writer, count in zip(writers, before, strict=True)):
                assert time.monotonic() < until, "nothing is written any more"
                time.sleep(0.05)
        for writer in writers:
            writer.stop()

    async def story() -> None:
        heard = [
            stream(url, token, cursor) for url in urls for stream in (heard_over_a_socket, heard_as_server_sent_events)
        ]
        sequences.extend([] for _ in heard)
        async with asyncio.timeout(PATIENCE):
            listening = [asyncio.create_task(collect(*each)) for each in zip(heard, sequences, strict=True)]
            writers.extend(Writer(number, urls[number % 2], token) for number in range(WRITERS))
            await asyncio.to_thread(disturb)
            await asyncio.to_thread(writers[0].create, "last")
            await asyncio.gather(*listening)

    try:
        asyncio.run(story())
    finally:
        for writer in writers:
            writer.stop()
            writer.http.close()
    expected = table(urls[1], token, cursor)
    assert expected[-1] == "last"
    acknowledged = [title for writer in writers for title in writer.acknowledged]
    assert sorted(expected) == sorted(acknowledged)
    assert sequences == [expected] * len(sequences)
    for server in servers:
        log = server.errors.read_text()
        assert log.count("The stream waits for the database") <= CRASHES
        assert "broke off" not in log


def signed_in(url: str, name: str, password: str) -> httpx.Client:
    http = httpx.Client(base_url=url, headers={"Referer": url}, timeout=60)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": csrf_of(http)}
    assert http.post("/login/", data=form).status_code == 302
    return http


def csrf_of(http: httpx.Client) -> str:
    http.get("/login/")
    return http.cookies["csrftoken"]


async def closed_with(url: str, token: str) -> int | None:
    """The code that a new socket is closed with; None if it is greeted."""
    address = f"{url.replace('http', 'ws', 1)}/ws/events"
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(address, additional_headers=headers, open_timeout=60, proxy=None) as wire:
        try:
            assert json.loads(await wire.recv())["type"] == "hello"
        except websockets_exceptions.ConnectionClosed as closed:
            return closed.rcvd.code
    return None


class Doors:
    """One call at each door of a server: the API as itself and as a stream, pages, admin, login, sockets."""

    def __init__(self, server: ServerProcess, token: str, signed_in: httpx.Client) -> None:
        self.url, self.token, self.people = server.url, token, signed_in
        self.http = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        self.visitor = httpx.Client(base_url=server.url, headers={"Referer": server.url}, timeout=60)
        self.csrf = csrf_of(self.visitor)

    def stream(self) -> httpx.Response:
        with self.http.stream("GET", "/api/v1/events", headers={"Accept": "text/event-stream"}) as answer:
            if answer.status_code != 200:
                answer.read()
            return answer

    def answers(self) -> dict[str, httpx.Response]:
        form = {"username": "ada", "password": "wrong", "csrfmiddlewaretoken": self.csrf}
        return {
            "stream": self.stream(),
            "read": self.http.get("/api/v1/tasks"),
            "write": self.http.post("/api/v1/tasks", json={"project": "OPS", "title": "written"}),
            "long poll": self.http.get("/api/v1/events?after=now&wait=0"),
            "page": self.people.get("/"),
            "admin": self.people.get("/admin/tasks/task/"),
            "login": self.visitor.post("/login/", data=form),
        }

    def socket(self) -> int | None:
        return asyncio.run(closed_with(self.url, self.token))

    def close(self) -> None:
        for client in (self.http, self.people, self.visitor):
            client.close()


def test_every_door_says_503_while_postgresql_is_away_and_the_first_call_after_it_succeeds(postgres, tmp_path):
    server = ServerProcess(tmp_path, DATABASE_URL=postgres.url, REDIS_URL="", DATA_DIR=str(tmp_path))
    doors = None
    try:
        manage(postgres, tmp_path, "add_project", "OPS", "--name", "Operations")
        arguments = ("--kind", "human", "--project", "OPS", "--role", "manager", "--token", "test")
        token = manage(postgres, tmp_path, "add_agent", "ada", *arguments)["token"]
        doors = Doors(server, token, signed_in(server.url, server.started["login"], server.started["password"]))
        for turn in range(2):
            here = {name: answer.status_code for name, answer in doors.answers().items()}
            assert here == dict.fromkeys(here, 200) | {"write": 201}, f"turn {turn}"
            assert doors.socket() is None
            postgres.crash()
            away = doors.answers()
            assert {name: answer.status_code for name, answer in away.items()} == dict.fromkeys(away, 503)
            assert {answer.headers["Retry-After"] for answer in away.values()} == {"3"}
            for name in ("stream", "read", "write", "long poll"):
                assert away[name].json()["code"] == "unavailable"
            for name in ("page", "admin", "login"):
                assert "The database is down or too busy." in away[name].text
            assert doors.socket() == 1013
            postgres.start()
        assert doors.socket() is None
    finally:
        if doors is not None:
            doors.close()
        server.close()
    log = server.errors.read_text()
    assert "Traceback" not in log
    assert "The database is down or too busy" in log
