"""Runs a text with ``%s`` placeholders, prepared if the database can, past what Django does for each statement."""

import functools
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from taskproject.statements import is_outdated

#: As ``writes``, what this thread's transaction has not sent yet; see ``together``.
waiting = threading.local()


def run(text: str, parameters: Sequence[Any]) -> tuple[list[tuple[Any, ...]], int]:
    """Its rows, and how many it touched. ``parameters`` are as the driver takes them.

    The connection's wrappers see the statement like any other, and what waits is sent before. Raises Django's database
    errors.
    """
    send_waiting()
    return execute(text, parameters)


def send_waiting() -> None:
    """Send what waits, before something that is not a statement of this connection's cursors, such as COPY."""
    writes = getattr(waiting, "writes", None)
    if writes is not None:
        writes.send()


def execute(text: str, parameters: Sequence[Any]) -> tuple[list[tuple[Any, ...]], int]:
    """``run`` without regard to what waits."""
    connection = connections[DEFAULT_DB_ALIAS]
    run_prepared = _PREPARED.get(connection.vendor)
    if connection.queries_logged or run_prepared is None:
        with connection.cursor() as cursor:
            cursor.execute(text, parameters)
            return (cursor.fetchall() if cursor.description else []), cursor.rowcount
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    executing: Any = functools.partial(run_prepared, connection)
    for wrapper in reversed(connection.execute_wrappers):
        executing = functools.partial(wrapper, executing)
    with connection.wrap_database_errors:
        rows, count = executing(text, parameters, False, {"connection": connection, "cursor": None})
        return rows, count


@functools.cache
def vendor() -> str:
    """The kind of the database, ``postgresql`` or ``sqlite``: quicker than to ask the thread's connection."""
    return str(connections[DEFAULT_DB_ALIAS].vendor)


def _on_postgresql(connection: Any, text: str, parameters: Sequence[Any], many: bool, context: Any) -> Any:
    # Django's own cursor puts the values into the text, which cannot be prepared.
    cursor = psycopg.Cursor(connection.connection)
    try:
        cursor.execute(text, parameters, prepare=True)
    except psycopg.Error as error:
        if not is_outdated(error):
            raise
        # It has had no effect. In a transaction only the whole can run once more.
        connection.connection._prepared.forget()
        if connection.in_atomic_block:
            raise
        cursor.execute(text, parameters, prepare=True)
    # Not ``description``, which makes an object of each column.
    result: Any = cursor.pgresult
    return (cursor.fetchall() if result.nfields else []), cursor.rowcount


def _on_sqlite(connection: Any, text: str, parameters: Sequence[Any], many: bool, context: Any) -> Any:
    # The driver keeps the statements that it prepared by their texts.
    cursor = connection.connection.execute(_with_question_marks(text), parameters)
    return cursor.fetchall(), cursor.rowcount


_PREPARED = {"postgresql": _on_postgresql, "sqlite": _on_sqlite}


@functools.lru_cache(maxsize=1_000)
def _with_question_marks(text: str) -> str:
    return text.replace("%%", "\0").replace("%s", "?").replace("\0", "%")
