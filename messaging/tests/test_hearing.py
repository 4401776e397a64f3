"""Hearing other processes ends when it is cancelled, whatever the layer makes of that."""

import asyncio

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from messaging.stream import hearing
from messaging.stream.hearing import hear
from taskproject.tests.redis_server import RedisServer

STEPS = ("new_channel", "group_add", "flush")


class Swallowing:
    """A channel layer that drops a cancellation during one step, as Redis's client may."""

    def __init__(self, step: str) -> None:
        self.step, self.waits, self.gave_up = step, asyncio.Event(), False

    async def _take(self, step: str) -> None:
        if step == self.step:
            self.waits.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return

    async def new_channel(self) -> str:
        await self._take("new_channel")
        return "ears"

    async def group_add(self, group: str, channel: str) -> None:
        await self._take("group_add")
        if self.step == "flush":
            raise ConnectionError("Connection refused")

    async def flush(self) -> None:
        await self._take("flush")

    async def receive(self, channel: str) -> dict[str, str]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.gave_up = True
            raise
        return {}


@pytest.mark.parametrize("step", STEPS)
def test_it_ends_although_the_layer_swallows_the_cancellation(step, monkeypatch):
    async def story() -> None:
        layer = Swallowing(step)
        monkeypatch.setattr(hearing, "get_channel_layer", lambda: layer)
        task = asyncio.create_task(hear("news", lambda _: None))
        await layer.waits.wait()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=10)
        assert done
        assert task.cancelled()
        # A channel that nobody gives up keeps every message from then on.
        assert layer.gave_up == (step != "flush")

    asyncio.run(story())


def test_it_ends_whenever_it_is_cancelled_while_it_begins(monkeypatch):
    """With the real client of Redis: each round is cancelled one turn of the loop later."""
    server = RedisServer()
    layer = RedisPubSubChannelLayer(hosts=[server.url])

    async def story(turns: int) -> bool:
        task = asyncio.create_task(hear("news", lambda _: None))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=10)
        ended = task.done()
        await layer.flush()
        return ended

    monkeypatch.setattr(hearing, "get_channel_layer", lambda: layer)
    try:
        assert [turns for turns in range(60) if not asyncio.run(story(turns))] == []
    finally:
        server.close()
