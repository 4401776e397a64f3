"""The bell between processes: heard in threads without a loop, even after an outage; it keeps no process alive."""

import asyncio
import os
import subprocess
import sys
import threading

from django.conf import settings

from messaging.stream import bell

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
        self.asked = 0
        self.groups: list[str] = []

    async def new_channel(self) -> str:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionError("Connection refused")
        return "ears"

    async def group_add(self, group: str, channel: str) -> None:
        self.groups.append(group)

    async def receive(self, channel: str) -> dict[str, str]:
        await asyncio.sleep(0.01)
        return {"type": "news"}


def test_ears_hear_once_the_layer_is_back_and_close(monkeypatch, caplog):
    layer, heard = Layer(), threading.Event()
    monkeypatch.setattr(bell, "get_channel_layer", lambda: layer)
    ears = bell.Ears(heard.set)
    try:
        assert heard.wait(30)
    finally:
        ears.close()
    assert not ears._thread.is_alive()
    assert layer.groups == [bell.GROUP]
    assert "The bell of other processes is out (Connection refused); polling." in caplog.text
