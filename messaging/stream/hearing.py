"""Hear what other processes send to a group of the channel layer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from channels.layers import get_channel_layer

RETRY_SECONDS: Final = 2.0


def _ignore(*_: Any) -> None:
    """Nobody wants to know."""


async def hear(
    group: str,
    heard: Callable[[dict[str, Any]], None],
    *,
    out: Callable[[Exception], None] = _ignore,
    back: Callable[[], None] = _ignore,
) -> None:
    """Call ``heard`` with each message to ``group`` until cancelled.

    Comes back by itself after an outage of the layer: calls ``out`` with the error once it begins and ``back`` once it
    is over. A message that ``heard`` raises an error for counts as an outage.
    """
    away = False
    layer = get_channel_layer()
    while True:
        try:
            channel = await layer.new_channel()
            await layer.group_add(group, channel)
            _heed_cancellation()
            if away:
                back()
            away = False
            while True:
                heard(await layer.receive(channel))
        except Exception as error:
            if not away:
                out(error)
            away = True
            # The layer keeps the channel that it could not open, and each new try adds one.
            with suppress(Exception):
                await layer.flush()
            _heed_cancellation()
            await asyncio.sleep(RETRY_SECONDS)


def _heed_cancellation() -> None:
    """Cancel this task again if the layer swallowed that: what comes next would wait for ever.

    So ``receive`` is left as always, and gives up the channel. Redis's client sends within ``asyncio.wait_for``, which
    before Python 3.12 drops a cancellation that comes just as its work ends (python/cpython#86296); the layer's
    ``flush`` takes one for that of its own task.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        task.cancel()
