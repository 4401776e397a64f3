"""A client of the live stream inside the test's process, and what these tests share."""

import asyncio
import json
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from messaging.stream.hub import hub
from taskproject.asgi import application
from tasks import clock
from tasks.actions.agents import create_token
from tasks.events import kinds
from tasks.events.recording import event, record

#: Seconds.
PATIENCE = 15


def write(cast, word: str, **kwargs: Any) -> None:
    record(event(kinds.TASK_CREATED, at=clock.now(), actor=None, project=cast.ops, title=word, **kwargs))


class Socket:
    """A client of /ws/events that keeps what it received."""

    def __init__(self, query: str = "", **headers: str) -> None:
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.wire = WebsocketCommunicator(application, f"/ws/events{query}", headers=named)
        self.events: list[dict] = []
        self.cursor = ""

    async def connect(self) -> "Socket":
        connected, _ = await self.wire.connect(timeout=PATIENCE)
        assert connected
        return self

    async def hello(self) -> "Socket":
        await self.connect()
        message = json.loads(await self.wire.receive_from(timeout=PATIENCE))
        assert message["type"] == "hello"
        self.cursor = message["cursor"]
        return self

    async def read_until(self, word: str) -> list[str]:
        while word not in self.words():
            message = json.loads(await self.wire.receive_from(timeout=PATIENCE))
            assert message["type"] == "events"
            self.events += message["events"]
            self.cursor = message["cursor"]
        return self.words()

    async def closed_with(self) -> int:
        while True:
            message = await self.wire.receive_output(timeout=PATIENCE)
            if message["type"] == "websocket.close":
                return message["code"]

    def words(self) -> list[str]:
        return [event["data"]["title"] for event in self.events]

    async def leave(self) -> None:
        await self.wire.disconnect(timeout=PATIENCE)


def bearer(agent) -> dict[str, str]:
    return {"authorization": f"Bearer {create_token(actor=None, agent=agent, name='t')[1]}"}


def session_of(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    cookie = client.cookies["sessionid"].value
    return {"cookie": f"sessionid={cookie}", "origin": "http://localhost:8000", "host": "localhost:8000"}


def run(story) -> None:
    async def tell_story() -> None:
        try:
            await story()
        finally:
            hub.close()
            await asyncio.sleep(0)

    asyncio.run(tell_story())


def later(function, *args: Any, **kwargs: Any):
    """Call it in a thread, as a request would."""

    def call() -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return sync_to_async(call, thread_sensitive=False)()
