"""How long a report may take: the database stops, and the reader gets one sentence."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from taskproject.errors import DomainError

#: Of one statement on PostgreSQL, of the whole report on SQLite.
SECONDS = 30.0
#: SQLite looks at the clock after so many of its instructions.
_INSTRUCTIONS = 10_000
_CANCELLED = "57014"


class TooLarge(DomainError):
    """A report would have more cells than anybody reads."""

    code, status, title = "too_large", 400, "The report is too large"


class TooSlow(DomainError):
    """The database took too long."""

    code, status, title = "too_slow", 400, "The report takes too long"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The report takes longer than {seconds:g} seconds.", "Choose a shorter period, or group by less."
        )


@contextmanager
def limited(seconds: float | None = None, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within it the database stops what takes longer. Raises ``TooSlow``."""
    most = SECONDS if seconds is None else seconds
    connection = connections[using]
    within = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    try:
        with within(connection, most):
            yield
    except OperationalError as error:
        code = getattr(error.__cause__, "sqlstate", None)
        if code == _CANCELLED or str(error) == "interrupted":
            raise TooSlow(most) from None
        raise


@contextmanager
def _on_postgresql(connection: Any, seconds: float) -> Iterator[None]:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"])
        yield
        # Where the caller has a transaction of its own, the setting would stay until its end.
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


@contextmanager
def _on_sqlite(connection: Any, seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    until = time.monotonic() + seconds
    library = connection.connection
    library.set_progress_handler(lambda: time.monotonic() > until, _INSTRUCTIONS)
    try:
        yield
    finally:
        library.set_progress_handler(None, _INSTRUCTIONS)
