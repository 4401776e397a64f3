"""The thread in which each server notes in the database that it can answer; see ``tasks.actions.timekeeping``."""

import logging
import threading

from django.db import connection

from taskproject.watch import metrics
from tasks.actions import timekeeping
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)


class Pulse:
    """Starts with the server, or with its first request after a fork, and beats until it is closed."""

    def __init__(self) -> None:
        self._start = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Make sure that the thread runs; cheap enough for each request."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        outage = Outage(logger, "The server")
        try:
            while not self._stop.is_set():
                metrics.sample()
                try:
                    timekeeping.mark_answering()
                    outage.end()
                except AWAY as error:
                    outage.begin(error)
                except Exception:
                    # Without this thread no lease would ever end.
                    logger.exception("The server could not note that it can answer; trying again.")
                self._stop.wait(timekeeping.MARK_SECONDS)
        finally:
            connection.close()


pulse = Pulse()
