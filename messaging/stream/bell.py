"""The bell across processes: "there is news", over the channel layer. Losing it costs freshness, never an event.

Commits only set a flag; a separate thread sends, rate-limited, so that no verb waits for Redis.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from messaging.stream.hearing import hear
from tasks.events.listening import listener
from tasks.events.recording import bell

logger = logging.getLogger(__name__)

GROUP = "news"
EVERY_SECONDS = 0.01


class Ringer:
    """Carries this process's news to the others. Starts its thread with the first news, after any fork."""

    def __init__(self) -> None:
        self._news = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, **_: Any) -> None:
        self._news.set()
        if self._thread is None or not self._thread.is_alive():
            with self._start:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        # Not ``async_to_sync``: from a thread it uses a pool, and Python waits for pools at exit.
        asyncio.run(self._carry())

    async def _carry(self) -> None:
        layer = get_channel_layer()
        away = False
        while True:
            self._news.wait()
            self._news.clear()
            try:
                await layer.group_send(GROUP, {"type": "news"})
                if away:
                    logger.warning("The bell reaches other processes again.")
                away = False
            except Exception as error:
                if not away:
                    logger.warning("The bell does not reach other processes (%s); they poll.", error)
                away = True
            time.sleep(EVERY_SECONDS)


ringer = Ringer()


async def listen(heard: Callable[[], None]) -> None:
    """Call ``heard`` for all news from other processes, forever; an outage of the layer is logged once at each end."""
    await hear(
        GROUP,
        lambda _: heard(),
        out=lambda error: logger.warning("The bell of other processes is out (%s); polling.", error),
        back=lambda: logger.warning("The bell of other processes is heard again."),
    )


class Ears:
    """Hears news from other processes and calls ``heard`` from its own thread until closed."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._loop = asyncio.new_event_loop()
        self._listening: asyncio.Task[None] = self._loop.create_task(listen(heard))
        self._thread = threading.Thread(target=self._run, name="ears", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._listening.cancel)
        self._thread.join(2)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError), closing(self._loop):
            self._loop.run_until_complete(self._listening)


def connect() -> None:
    """Ring for other processes, and hear theirs, if a layer connects them; this process hears itself anyway."""
    if settings.REDIS_URL:
        # Load the layer here: otherwise the first bell's thread could import Redis at the same time as a request, and
        # one of them would see a partial module.
        get_channel_layer()
        bell.connect(ringer.ring, dispatch_uid="messaging.stream.bell")
        listener.carriers.append(Ears)
