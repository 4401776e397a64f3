"""Waiting for something without holding a thread: what a view requests, and what the server does about it.

A view looks. If it finds nothing and its caller wants to wait, it says what to wait on and for how long, and returns
its answer anyway. The server holds that answer back and frees the thread. When woken, it runs the whole request again,
so that a caller that lost its rights meanwhile is refused; when the time is over it sends the answer that it held back.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

#: In ``environ``: the ``Waiting`` of this request, if the server lets requests wait.
WAITING = "taskproject.waiting"


class Seat(Protocol):
    """A place among the callers that wait for the same kind of thing; kept while the request looks again."""

    def wait(self, wake: Callable[[], None]) -> None:
        """Start or continue waiting. ``wake`` is called at most once, from any thread, possibly before this returns."""

    def leave(self) -> None:
        """Give the place up; harmless if it was never taken."""


class Waiting:
    """The waiting of one request, from its first run to its last."""

    __slots__ = ("answer_stands", "asked", "over", "seat", "until")

    def __init__(self) -> None:
        #: The last run found nothing and requested to wait.
        self.asked = False
        #: The wait is over: the answer of this run is sent.
        self.over = False
        self.seat: Any = None
        #: By ``time.monotonic``; set by the first look: a busy server must not use the wait up before it starts.
        self.until: float | None = None
        self.answer_stands = True

    def ask(self, seat: Seat, *, seconds: float, answer_stands: bool = True) -> bool:
        """Request to wait on ``seat`` for ``seconds`` from the first request; returns whether that is granted.

        If ``answer_stands`` is false, the answer of this run must not be sent when the wait ends without news: then the
        request is run once more.
        """
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
        if self.seat is not None:
            self.seat.leave()


def waiting_of(meta: Mapping[str, Any]) -> Waiting | None:
    """The waiting that the server offers to the request with this ``META``; None if requests cannot wait."""
    waiting: Waiting | None = meta.get(WAITING)
    return None if waiting is None or waiting.over else waiting
