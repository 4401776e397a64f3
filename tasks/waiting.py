"""Waiting for news inside a request: woken by the bell of this process, with a cheap poll as the guarantee."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tasks.events import bell

# Another process rings no bell here; a poll so often is what its news may be late by.
POLL_SECONDS = 0.5

_news = threading.Condition()


def _wake(**_: Any) -> None:
    with _news:
        _news.notify_all()


bell.connect(_wake, dispatch_uid="tasks.waiting")


class Places:
    """So many callers may wait at once, because each holds a thread of the server."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Yields whether there was a place."""
        got = self._free.acquire(blocking=False)
        try:
            yield got
        finally:
            if got:
                self._free.release()


def wait_until(condition: Callable[[], bool], deadline: float) -> bool:
    """Whether ``condition`` became true before ``deadline`` (of ``time.monotonic``)."""
    while not condition():
        rest = deadline - time.monotonic()
        if rest <= 0:
            return False
        with _news:
            _news.wait(min(rest, POLL_SECONDS))
    return True
