"""The bell between processes: heard in threads without a loop, even after an outage; it keeps no process alive."""

import asyncio
import logging
import os
import subprocess
import sys
import threading

from django.conf import settings

from messaging.stream import bell, hearing

RING_AND_END = """
import django
django.setup()
from messaging.stream import bell
bell.ringer.ring()
while not bell.ringer._thread.is_alive():
    pass
print("rung")
"""


def test_a_process_that_rang_the_bell_can_end():
    ended = subprocess.run(
        [sys.executable, "-c", RING_AND_END],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "taskproject.settings",
            "DATA_DIR": str(settings.DATA_DIR),
            "REDIS_URL": "redis://127.0.0.1:1/0",
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, "rung\n"), ended.stderr


class Layer:
    """A channel layer that is down at first, and then has news."""

    def __init__(self) -> None:
        self.asked = self.flushed = 0
        self.groups: list[str] = []

    async def new_channel(self) -> str:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionError("Connection refused")
        return "ears"

    async def group_add(self, group: str, channel: str) -> None:
        self.groups.append(group)

    async def flush(self) -> None:
        self.flushed += 1

    async def receive(self, channel: str) -> dict[str, str]:
        await asyncio.sleep(0.01)
        return {"type": "news"}


def test_ears_hear_once_the_layer_is_back_and_close(monkeypatch, caplog):
    layer, heard = Layer(), threading.Event()
    monkeypatch.setattr(hearing, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(hearing, "get_channel_layer", lambda: layer)
    ears = bell.Ears(heard.set)
    try:
        assert heard.wait(30)
    finally:
        ears.close()
    assert not ears._thread.is_alive()
    assert layer.groups == [bell.GROUP]
    assert layer.flushed == 1, "what could not be opened is not kept"
    assert [record.getMessage() for record in caplog.records] == [
        "The bell of other processes is out (Connection refused); polling.",
        "The bell of other processes is heard again.",
    ]


class Deaf:
    """A channel layer that fails twice, then carries."""

    def __init__(self) -> None:
        self.asked = 0
        self.carried = threading.Event()

    async def group_send(self, group: str, message: dict[str, str]) -> None:
        self.asked += 1
        if self.asked <= 2:
            raise ConnectionError("Connection refused")
        if self.asked > 3:
            self.carried.set()


def test_ringer_says_once_that_nobody_hears_it_and_once_that_they_do_again(monkeypatch, caplog):
    layer, ringer = Deaf(), bell.Ringer()
    monkeypatch.setattr(bell, "get_channel_layer", lambda: layer)
    for _ in range(1000):
        ringer.ring()
        if layer.carried.wait(0.01):
            break
    assert [record.getMessage() for record in caplog.records] == [
        "The bell does not reach other processes (Connection refused); they poll.",
        "The bell reaches other processes again.",
    ]


def test_channel_layer_does_not_fill_the_log_while_redis_is_away():
    assert not logging.getLogger("channels_redis.pubsub").isEnabledFor(logging.ERROR)
