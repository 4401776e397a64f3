"""Which agents are here: noted in memory by requests and streams, and written behind by one thread of the process.

A request that wrote it would wait, on SQLite, behind whoever writes; a read must not. An agent counts as seen about
``WRITE_EVERY_SECONDS`` later than it was; if the database is away or busy, once it can be written. A process that is
killed loses what it had not written yet.
"""

import atexit
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Case, DateTimeField, Value, When

from tasks.models import Agent, AgentToken
from tasks.outage import AWAY

logger = logging.getLogger(__name__)

#: `last_used_at` and `last_seen_at` are written no more often than this.
SEEN_EVERY = timedelta(seconds=15)
WRITE_EVERY_SECONDS = 0.5
RETRY_SECONDS = 1.0
#: How long a process that ends waits for its last write.
CLOSE_SECONDS = 2.0
#: Tokens written in one transaction: SQLite limits the parameters of a statement.
BATCH = 200


class Presence:
    """What this process has noted and not yet written. Starts its thread with the first note, after any fork."""

    def __init__(self, write: Callable[[Mapping[int, datetime]], None], *, name: str) -> None:
        #: Writes when each of a batch was seen, by id.
        self._write = write
        self._name = name
        #: False in tests, whose rows another thread may not see.
        self.writes_behind = True
        self._noted: dict[int, datetime] = {}
        #: When each was last seen as far as this process knows it written; saves looking again.
        self._written: dict[int, datetime] = {}
        self._lock = threading.Lock()
        self._has_news = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, seen: Mapping[int, datetime]) -> None:
        """These were here at these times, by id. Quick, and without the database."""
        with self._lock:
            news = {
                pk: at for pk, at in seen.items() if pk not in self._written or at - self._written[pk] >= SEEN_EVERY
            }
            if not news:
                return
            for pk, at in news.items():
                self._noted[pk] = max(at, self._noted.get(pk, at))
            if self.writes_behind and (self._thread is None or not self._thread.is_alive()):
                self._start()
        self._has_news.set()

    def flush(self) -> None:
        """Write what was noted. Raises one of ``AWAY``, and keeps it, if the database cannot take it now."""
        with self._lock:
            noted, self._noted = self._noted, {}
        written: dict[int, datetime] = {}
        try:
            while batch := dict(list(noted.items())[:BATCH]):
                self._write(batch)
                written |= batch
                noted = {pk: at for pk, at in noted.items() if pk not in batch}
        finally:
            with self._lock:
                self._noted = noted | self._noted
                oldest = max([*written.values(), *self._written.values()], default=None)
                known = self._written | written
                self._written = {pk: at for pk, at in known.items() if oldest and at > oldest - SEEN_EVERY}

    def forget(self) -> None:
        """Know nothing any more, for tests."""
        with self._lock:
            self._noted, self._written = {}, {}

    def close(self) -> None:
        """Write what is left, within ``CLOSE_SECONDS``: the process ends."""
        self._closing.set()
        self._has_news.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        if self._thread is None:
            atexit.register(self.close)
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._has_news.wait()
            self._closing.wait(WRITE_EVERY_SECONDS)
            self._has_news.clear()
            try:
                self.flush()
            except Exception as error:
                # An outage is logged by others, who suffer from it.
                if not isinstance(error, AWAY):
                    logger.exception("Who is here could not be written; trying again.")
                connection.close()
                self._has_news.set()
                self._closing.wait(RETRY_SECONDS)
        # The end may have come while it wrote, and more may have been noted meanwhile.
        with contextlib.suppress(*AWAY):
            self.flush()
        connection.close()


def _write(noted: Mapping[int, datetime]) -> None:
    """Write those that were not written lately, by whatever process. A token that only reads shows no agent at work."""
    tokens = AgentToken.objects.filter(pk__in=noted).order_by()
    rows = tokens.values_list("pk", "agent_id", "read_only", "last_used_at")
    due = [row[:3] for row in rows if row[3] is None or row[3] < noted[row[0]] - SEEN_EVERY]
    if not due:
        return
    seen: dict[int, datetime] = {}
    for pk, agent, read_only in due:
        if not read_only:
            seen[agent] = max(noted[pk], seen.get(agent, noted[pk]))
    with transaction.atomic():
        # Another process may write the same rows in another order: what it has locked, it writes.
        agents = Agent.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=seen).order_by("pk")
        free = set(agents.values_list("pk", flat=True))
        used = {pk: noted[pk] for pk, agent, read_only in due if read_only or agent in free}
        Agent.objects.filter(pk__in=free).update(last_seen_at=_of({pk: seen[pk] for pk in free}))
        tokens.filter(pk__in=used).update(last_used_at=_of(used))


def _of(times: Mapping[int, datetime]) -> Case | None:
    """The time of each row, by id."""
    cases = [When(pk=pk, then=Value(at)) for pk, at in times.items()]
    return Case(*cases, output_field=DateTimeField()) if cases else None


#: The agents of valid tokens, by the ids of the tokens.
presence = Presence(write=_write, name="presence")
