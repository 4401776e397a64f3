"""Whose turn it is to write: the threads of a process queue for SQLite's one writer, first come, first served."""

import threading
import time
from collections import deque
from functools import cache

#: If the turn has been held this long while others wait, the line does not move.
STUCK_SECONDS = 2.0


class Stuck(Exception):
    """The line does not move, and enough wait already."""


class _Place:
    """A thread's place in the line: the gate that opens when it is its turn."""

    __slots__ = ("gate",)

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()


class Turns:
    """A lock that its holder hands to the next in line, so that no waiting thread is passed over.

    ``threading.Lock`` goes to whoever asks at the right moment, most often the thread that has just released it.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[_Place] = deque()
        self._taken = False
        self._moved_at = 0.0

    def take(self, timeout: float, *, most_waiting: int | None = None) -> bool:
        """Wait up to ``timeout`` seconds; returns whether the caller now has the turn.

        Raises ``Stuck`` once the line does not move and has ``most_waiting`` others before the caller.
        """
        until = time.monotonic() + timeout
        with self._mutex:
            if not self._taken:
                self._taken = True
                self._moved_at = time.monotonic()
                return True
            place = _Place()
            self._waiting.append(place)
            stuck = self._is_stuck(place, most_waiting)
        try:
            while not stuck and (left := until - time.monotonic()) > 0:
                if place.gate.acquire(timeout=left if most_waiting is None else min(left, STUCK_SECONDS)):
                    return True
                with self._mutex:
                    stuck = self._is_stuck(place, most_waiting)
        except BaseException:
            # An interrupt: the turn must not be handed to a thread that has left.
            if not self._leave(place):
                self.pass_on()
            raise
        # Otherwise it was handed over at the last moment.
        if not self._leave(place):
            return True
        if stuck:
            raise Stuck
        return False

    def _is_stuck(self, place: "_Place", most_waiting: int | None) -> bool:
        if most_waiting is None or place not in self._waiting or self._waiting.index(place) < most_waiting:
            return False
        return time.monotonic() - self._moved_at >= STUCK_SECONDS

    def _leave(self, place: "_Place") -> bool:
        """Whether ``place`` was still waiting and has now left the line; if not, the caller has the turn."""
        with self._mutex:
            if place in self._waiting:
                self._waiting.remove(place)
                return True
        return False

    def pass_on(self) -> None:
        """Give the turn to the next in line; only the holder may do so."""
        with self._mutex:
            if self._waiting:
                self._moved_at = time.monotonic()
                self._waiting.popleft().gate.release()
            else:
                self._taken = False


@cache
def turns_at(path: str) -> Turns:
    """This process's queue for the database file at ``path``."""
    return Turns()
