"""How long reading may take: the database stops, and the reader gets one sentence.

A statement that takes too long is stopped in the middle; many short ones together on SQLite likewise, on PostgreSQL
before the next one. What takes long outside the database asks ``check_time``. Of limits within each other the one that
ends first holds.
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
    """Until when (by the monotonic clock) it may run, how long that was, and the error of what takes longer.

    ``databases``: the aliases of those that it limits.
    """

    until: float
    seconds: float
    error: Callable[[float], Exception]
    databases: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until

    def check(self) -> None:
        if self.is_over:
            raise self.error(self.seconds)


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def check_time() -> None:
    """Raises the error of the ``limited`` that ends first if its time is over; outside of any there is no limit."""
    deadline = _deadline.get()
    if deadline is not None:
        deadline.check()


@contextmanager
def limited(seconds: float, error: Callable[[float], Exception], using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within it what takes longer is stopped. Raises ``error(seconds)``, or that of an outer one that ends first."""
    connection = connections[using]
    outer, left = _deadline.get(), seconds
    deadline = Deadline(time.monotonic() + seconds, seconds, error, frozenset({using}))
    if outer is not None:
        if outer.until < deadline.until:
            left -= deadline.until - outer.until
            deadline = outer
        deadline = deadline._replace(databases=outer.databases | {using})
    token = _deadline.set(deadline)
    if connection.vendor == "postgresql":
        within = _on_postgresql(connection, deadline, left)
    else:
        within = _on_sqlite(connection, is_outermost=outer is None or using not in outer.databases)
    try:
        with within:
            yield
    except OperationalError as stopped:
        code = getattr(stopped.__cause__, "sqlstate", None)
        if code == _CANCELLED or str(stopped) == "interrupted":
            raise deadline.error(deadline.seconds) from None
        raise
    finally:
        _deadline.reset(token)


@contextmanager
def _on_postgresql(connection: Any, deadline: Deadline, seconds: float) -> Iterator[None]:
    def in_time(execute: Callable[..., Any], *statement: Any) -> Any:
        # Not that of an inner limit: what it has stopped is rolled back within the outer one.
        deadline.check()
        return execute(*statement)

    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{max(1, int(seconds * 1000))}ms"])
        with connection.execute_wrapper(in_time):
            yield
        # Where the caller has a transaction of its own, the setting would stay until its end.
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


@contextmanager
def _on_sqlite(connection: Any, *, is_outermost: bool) -> Iterator[None]:
    connection.ensure_connection()
    library = connection.connection
    library.set_progress_handler(_is_time_over, _INSTRUCTIONS)
    try:
        yield
    finally:
        # A connection has one handler, so that of an inner limit serves the outer one too.
        if is_outermost:
            library.set_progress_handler(None, _INSTRUCTIONS)


def _is_time_over() -> bool:
    deadline = _deadline.get()
    return deadline is not None and deadline.is_over
