"""The database away or too busy: which errors say so, whether the request had an effect, and one line in the log.

A request that met such an error is answered 503, at every door. ``unavailable`` promises that nothing was done, so it
takes more than the error to say it: a COMMIT whose answer was lost may have been carried out.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections

from taskproject.statements import is_outdated

#: SQLSTATEs (PostgreSQL, appendix A), by class: connection, authorisation and database at connect, resources, operator
#: intervention, system errors; and single ones: read-only after a failover, transactions ended for their idleness or
#: age, serialisation, deadlock, a lock not available.
AWAY_CLASSES = ("08", "28", "3D", "53", "57", "58")
AWAY_STATES = frozenset({"25006", "25P03", "25P04", "40001", "40P01", "55P03"})
#: With these the server did not answer about the statement: it is gone, or about to be.
LOST_CLASSES = ("08", "57")
READ_ONLY = "25006"
#: SQLite's primary result codes: busy, locked, memory, read-only, interrupted, I/O error, full, cannot open, protocol.
AWAY_SQLITE_CODES = frozenset({5, 6, 7, 8, 9, 10, 13, 14, 15})
#: Statements outside a transaction with an effect of their own.
WRITING = ("INSERT", "UPDATE", "DELETE")
#: Methods of requests that only read.
READING = ("GET", "HEAD", "OPTIONS")
REPORT_SECONDS = 30.0

logger = logging.getLogger(__name__)


def is_outage(error: BaseException | None) -> bool:
    """Whether ``error`` means that the database is away or too busy, rather than a bug of ours."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, DatabaseError):
        return False
    if is_outdated(error.__cause__):
        return True
    if (state := sqlstate(error)) is not None:
        return state in AWAY_STATES or state.startswith(AWAY_CLASSES)
    if (code := getattr(error.__cause__, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in AWAY_SQLITE_CODES
    # Without a code: the connection failed before the server could give one.
    return isinstance(error, OperationalError)


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of an error that Django has wrapped; None if the server gave none."""
    return getattr(error.__cause__, "sqlstate", None)


class EffectsKnown:
    """For a database wrapper: knows whether anything since ``begin_request`` may have been committed."""

    in_atomic_block: bool
    execute_wrappers: list[Callable[..., Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.may_have_effect = False
        self.execute_wrappers.append(self._watch)

    def begin_request(self, *, only_reads: bool) -> None:
        """From here on this thread serves a request."""
        self.may_have_effect = False

    def end_request(self) -> None:
        """It serves none any more."""

    def _watch(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.in_atomic_block or not sql.startswith(WRITING):
            return execute(sql, params, many, context)
        return self._execute_alone(execute, sql, params, many, context)

    def _execute_alone(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Execute a writing statement that is its own transaction."""
        with self._effect():
            return execute(sql, params, many, context)

    def _commit(self) -> None:
        with self._effect():
            super()._commit()  # type: ignore[misc]  # unknown to the stubs

    @contextmanager
    def _effect(self) -> Iterator[None]:
        before, self.may_have_effect = self.may_have_effect, True
        try:
            yield
        except Error as error:
            if self._was_refused(error):
                self.may_have_effect = before
            raise

    @staticmethod
    def _was_refused(error: Error) -> bool:
        """Whether the database answered that it did not do it."""
        state = sqlstate(error)
        return state is not None and not state.startswith(LOST_CLASSES)


_thread = threading.local()


def begin_request(environ: Mapping[str, Any] | None = None, **_: Any) -> None:
    """Receiver of ``request_started``."""
    _thread.only_reads = environ is not None and environ.get("REQUEST_METHOD") in READING
    for connection in connections.all():
        if isinstance(connection, EffectsKnown):
            connection.begin_request(only_reads=_thread.only_reads)


def end_request(**_: Any) -> None:
    """Receiver of ``request_finished``."""
    _thread.only_reads = False
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, EffectsKnown):
            connection.end_request()


def only_reads() -> bool:
    """Whether this thread serves a request that only reads: it must not wait for those that write."""
    return getattr(_thread, "only_reads", False)


def may_have_effect() -> bool:
    """Whether this request may already have had an effect."""
    return any(
        isinstance(connection, EffectsKnown) and connection.may_have_effect
        for connection in connections.all(initialized_only=True)
    )


class Report:
    """Says in the log that requests fail for want of the database: at once, then at most every ``REPORT_SECONDS``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._unsaid = 0

    def add(self, error: BaseException) -> None:
        with self._lock:
            self._unsaid += 1
            if (now := time.monotonic()) < self._next:
                return
            count, self._unsaid, self._next = self._unsaid, 0, now + REPORT_SECONDS
        reason = " ".join(str(error).split())[:200]
        requests = "a request" if count == 1 else f"{count} requests"
        logger.warning("The database is down or too busy (%s); %s answered 503.", reason, requests)


report = Report()


class OutagesApart(logging.Filter):
    """For the log of failed requests: an outage is reported by ``report``, without a traceback for each request."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if not is_outage(error):
            return True
        assert error is not None
        report.add(error)
        return False
