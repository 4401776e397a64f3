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
        try:
            if gate.acquire(timeout=timeout):
                return True
        except BaseException:
            # An interrupt: the turn must not be handed to one who has left.
            if not self._leave(gate):
                self.pass_on()
            raise
        # Else it was handed over at the last moment.
        return not self._leave(gate)

    def _leave(self, gate: threading.Lock) -> bool:
        """Whether ``gate`` was still waiting, and so has left the queue; if not, the turn is its caller's."""
        with self._mutex:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return True
        return False

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
