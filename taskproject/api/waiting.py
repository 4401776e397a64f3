"""Waiting for something without holding a thread: what a view says, and what the server makes of it.

A view looks. Where it finds nothing and its caller wants to wait, it says what to wait on and for how long, and returns
its answer all the same. The server keeps that answer back and frees the thread. Woken, it runs the whole request
again, so that whoever lost the right to ask meanwhile is refused; once the time is over it sends what it kept.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

#: In ``environ``: the ``Waiting`` of this request, where the server lets requests wait.
WAITING = "taskproject.waiting"


class Seat(Protocol):
    """A place among those who wait for the same sort of thing; kept while the request looks again."""

    def wait(self, wake: Callable[[], None]) -> None:
        """Begin to wait, or go on. ``wake`` is called at most once, from any thread, maybe before this returns."""

    def leave(self) -> None:
        """Give the place up; harmless where it was never taken."""


class Waiting:
    """The waiting of one request, from its first run to its last."""

    __slots__ = ("answer_stands", "asked", "over", "seat", "until")

    def __init__(self) -> None:
        #: The last run had nothing to give and asked to wait.
        self.asked = False
        #: Nobody waits any longer: the answer of this run is sent.
        self.over = False
        self.seat: Any = None
        #: By ``time.monotonic``; set by the first look: a busy server must not use the wait up before it begins.
        self.until: float | None = None
        self.answer_stands = True

    def ask(self, seat: Seat, *, seconds: float, answer_stands: bool = True) -> bool:
        """Ask to wait on ``seat`` for ``seconds`` from the first time of asking; whether that is granted.

        Where ``answer_stands`` is false the answer of this run is no answer to a wait that ended without news: then the
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
        """Seconds that the wait may last yet."""
        return 0.0 if self.until is None else self.until - time.monotonic()

    def begin_run(self) -> None:
        self.asked = False

    def end(self) -> None:
        """The request was answered, or nobody wants the answer."""
        if self.seat is not None:
            self.seat.leave()


def waiting_of(meta: Mapping[str, Any]) -> Waiting | None:
    """The waiting that the server offers to the request with this ``META``; None where requests cannot wait."""
    waiting: Waiting | None = meta.get(WAITING)
    return None if waiting is None or waiting.over else waiting
