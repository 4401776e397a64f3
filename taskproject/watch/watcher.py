"""The thread that reads the facts while somebody asks for them, so that those who ask never wait for the database.

A database that hangs holds this thread up and nobody else: its last reading grows old, which says so.
"""

import logging
import threading
import time
from dataclasses import dataclass

from django.db import connection

from taskproject.outages import is_outage
from taskproject.watch import facts

logger = logging.getLogger(__name__)

#: How often the facts are read, and for how long after the last question.
READ_SECONDS, LINGER_SECONDS = 2.0, 60.0
#: Counts change slowly and cost more.
COUNT_SECONDS = 5.0
#: Once complete, they stay so until somebody restores a dump.
MIGRATIONS_SECONDS = 60.0


@dataclass(frozen=True)
class Reading:
    """The facts, and when they were read (``time.monotonic``)."""

    at: float
    vitals: facts.Vitals
    work: facts.Work | None = None


class Reader:
    """Reads the facts in the calling thread, each as often as it needs."""

    def __init__(self) -> None:
        self._work: facts.Work | None = None
        self._count_at = self._migrations_at = 0.0

    def read(self) -> Reading:
        """Raises a ``DatabaseError`` if the database does not answer."""
        began = time.monotonic()
        missing: list[str] = []
        if began >= self._migrations_at:
            missing = facts.missing_migrations()
            if not missing:
                self._migrations_at = began + MIGRATIONS_SECONDS
        vitals = facts.read_vitals(missing)
        if not missing and began >= self._count_at:
            self._work = facts.read_work()
            self._count_at = began + COUNT_SECONDS
        return Reading(time.monotonic(), vitals, self._work)


class Watcher:
    """Keeps the newest ``Reading`` while it is asked for; starts its thread at the first question, after any fork."""

    def __init__(self) -> None:
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reading: Reading | None = None
        self._asked_at = 0.0

    def latest(self) -> Reading | None:
        """The newest reading at once, however old; None if there is none yet."""
        self._asked_at = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            with self._start:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
                    self._thread.start()
        return self._reading

    def _run(self) -> None:
        reader = Reader()
        try:
            while time.monotonic() < self._asked_at + LINGER_SECONDS:
                try:
                    self._reading = reader.read()
                except Exception as error:
                    if not is_outage(error):
                        logger.exception("The state of the site could not be read; trying again.")
                    connection.close()
                time.sleep(READ_SECONDS)
        finally:
            connection.close()


watcher = Watcher()
