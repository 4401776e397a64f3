"""Whose turn it is to write: the threads of a process queue for SQLite's one writer, first come, first served."""

import threading
from collections import deque
from functools import cache


class Turns:
    """A lock that its holder hands to the next in line, so that no waiting thread is passed over.

    ``threading.Lock`` goes to whoever asks at the right moment, most often the thread that has just released it.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def take(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; returns whether the caller now has the turn."""
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
            # An interrupt: the turn must not be handed to a thread that has left.
            if not self._leave(gate):
                self.pass_on()
            raise
        # Otherwise it was handed over at the last moment.
        return not self._leave(gate)

    def _leave(self, gate: threading.Lock) -> bool:
        """Whether ``gate`` was still waiting and has now left the queue; if not, the caller has the turn."""
        with self._mutex:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return True
        return False

    def pass_on(self) -> None:
        """Give the turn to the next in line; only the holder may do so."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


@cache
def turns_at(path: str) -> Turns:
    """This process's queue for the database file at ``path``."""
    return Turns()
