"""How long reading may take: the database stops, and the reader gets one sentence.

A statement that takes too long is stopped in the middle; many short ones together on SQLite likewise, on PostgreSQL
before the next one. What takes long outside the database asks ``check_time``.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

#: SQLite looks at the clock after so many of its instructions.
_INSTRUCTIONS = 10_000
_CANCELLED = "57014"


class Deadline(NamedTuple):
    """Until when (by the monotonic clock) it may run, how long that was, and the error of what takes longer."""

    until: float
    seconds: float
    error: Callable[[float], Exception]


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def check_time() -> None:
    """Raises the error of the innermost ``limited`` if its time is over; outside of any there is no limit."""
    deadline = _deadline.get()
    if deadline is not None and time.monotonic() > deadline.until:
        raise deadline.error(deadline.seconds)


@contextmanager
def limited(seconds: float, error: Callable[[float], Exception], using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within it what takes longer is stopped. Raises ``error(seconds)``."""
    deadline = Deadline(time.monotonic() + seconds, seconds, error)
    connection = connections[using]
    within = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    token = _deadline.set(deadline)
    try:
        with within(connection, deadline):
            yield
    except OperationalError as stopped:
        code = getattr(stopped.__cause__, "sqlstate", None)
        if code == _CANCELLED or str(stopped) == "interrupted":
            raise error(seconds) from None
        raise
    finally:
        _deadline.reset(token)


@contextmanager
def _on_postgresql(connection: Any, deadline: Deadline) -> Iterator[None]:
    def in_time(execute: Callable[..., Any], *statement: Any) -> Any:
        check_time()
        return execute(*statement)

    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{int(deadline.seconds * 1000)}ms"])
        with connection.execute_wrapper(in_time):
            yield
        # Where the caller has a transaction of its own, the setting would stay until its end.
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


@contextmanager
def _on_sqlite(connection: Any, deadline: Deadline) -> Iterator[None]:
    connection.ensure_connection()
    library = connection.connection
    library.set_progress_handler(lambda: time.monotonic() > deadline.until, _INSTRUCTIONS)
    try:
        yield
    finally:
        library.set_progress_handler(None, _INSTRUCTIONS)
