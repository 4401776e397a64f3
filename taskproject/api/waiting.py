"""Waiting for something without holding a thread: what a view requests, and what the server does about it.

A view looks. If it finds nothing and its caller wants to wait, it says what to wait on and for how long, and returns
its answer anyway. The server holds that answer back and frees the thread. When woken, it runs the whole request again,
so that a caller that lost its rights meanwhile is refused; when the time is over it sends the answer that it held back.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from taskproject.errors import TooManyRequests

#: In ``environ``: the ``Waiting`` of this request, if the server lets requests wait.
WAITING = "taskproject.waiting"


class Seat(Protocol):
    """A place among the callers that wait for the same kind of thing; kept while the request looks again."""

    def wait(self, wake: Callable[[], None]) -> None:
        """Start or continue waiting. ``wake`` is called at most once, from any thread, possibly before this returns."""

    def leave(self) -> None:
        """Give the place up; harmless if it was never taken."""


#: After how many seconds a caller whose calls take all its places may try again.
RETRY_AFTER_SECONDS = 10


class Places:
    """How many calls of each caller wait on one server; beyond ``most`` they are refused, so that others find room."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def take(self, caller: Hashable) -> None:
        """Count one more. Raises ``TooManyRequests``."""
        with self._lock:
            if self._taken[caller] < self.most:
                self._taken[caller] += 1
                return
        raise TooManyRequests(
            f"{self.most} of your calls are waiting here already.",
            "End one, or call without waiting.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def leave(self, caller: Hashable) -> None:
        with self._lock:
            self._taken[caller] -= 1
            if self._taken[caller] <= 0:
                del self._taken[caller]


class Waiting:
    """The waiting of one request, from its first run to its last."""

    __slots__ = ("_caller", "_places", "answer_stands", "asked", "over", "seat", "until")

    def __init__(self, places: Places | None = None) -> None:
        self._places = places
        #: Whose place it takes, once it has asked.
        self._caller: Hashable = None
        #: The last run found nothing and requested to wait.
        self.asked = False
        #: The wait is over: the answer of this run is sent.
        self.over = False
        self.seat: Any = None
        #: By ``time.monotonic``; set by the first look: a busy server must not use the wait up before it starts.
        self.until: float | None = None
        self.answer_stands = True

    def ask(self, seat: Seat, *, seconds: float, caller: Hashable = None, answer_stands: bool = True) -> bool:
        """Request to wait on ``seat`` for ``seconds`` from the first request; returns whether that is granted.

        Raises ``TooManyRequests`` if as many calls of ``caller`` wait as may.

        If ``answer_stands`` is false, the answer of this run must not be sent when the wait ends without news: then the
        request is run once more.
        """
        if caller is not None and self._caller is None and self._places is not None:
            self._places.take(caller)
            self._caller = caller
        self.seat = seat
        now = time.monotonic()
        if self.until is None:
            self.until = now + seconds
        self.asked = not self.over and now < self.until
        self.answer_stands = answer_stands
        return self.asked

    def rest(self) -> float:
        """Seconds left to wait."""
        return 0.0 if self.until is None else self.until - time.monotonic()

    def begin_run(self) -> None:
        self.asked = False

    def end(self) -> None:
        """The request was answered, or nobody wants the answer."""
        if self._caller is not None and self._places is not None:
            self._places.leave(self._caller)
            self._caller = None
        if self.seat is not None:
            self.seat.leave()


def waiting_of(meta: Mapping[str, Any]) -> Waiting | None:
    """The waiting that the server offers to the request with this ``META``; None if requests cannot wait."""
    waiting: Waiting | None = meta.get(WAITING)
    return None if waiting is None or waiting.over else waiting
