"""Whose turn it is to write: the threads of a process queue for SQLite's one writer, first come, first served."""

import threading
from collections import deque
from functools import cache


class Turns:
    """A lock that is handed from holder to next in line, so that none who waits is passed by.

    ``threading.Lock`` lets whoever asks at the right moment take it, most often the thread that has just let go.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def take(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; whether the turn is now the caller's."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return False
        return True  # handed over at the last moment

    def pass_on(self) -> None:
        """Give the turn to the next in line; only its holder may."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


@cache
def turns_at(path: str) -> Turns:
    """The queue of this process for the database file at ``path``."""
    return Turns()
