"""The prepared statements of a connection, which outlast what is rolled back."""

import secrets
from collections.abc import Sequence
from typing import Any

from psycopg import errors
from psycopg._preparing import Key, Prepare, PrepareManager


def is_outdated(error: BaseException | None) -> bool:
    """Whether the server does not know a statement that this connection has prepared, knows another by its name, or
    would give other columns than when it was prepared: after ``DEALLOCATE ALL``, behind a pooler, after a change of the
    tables. ``error`` is the driver's.
    """
    if isinstance(error, errors.FeatureNotSupported):
        return error.diag.source_file == "plancache.c"
    return isinstance(error, errors.InvalidSqlStatementName | errors.DuplicatePreparedStatement)


class LastingStatements(PrepareManager):
    """psycopg's, but it keeps what is prepared when something is rolled back, as the server does.

    psycopg forgets all statements then, in case tables were created and rolled back; each refused verb would have the
    server plan everything once more. Names are those of this connection alone, so that behind a pooler that mixes
    connections a statement is missing rather than another.
    """

    def __init__(self, prepare_threshold: int | None) -> None:
        super().__init__()
        self.prepare_threshold = prepare_threshold
        self._prefix = f"_{secrets.token_hex(4)}_".encode()

    def get(self, query: Any, prepare: bool | None = None) -> tuple[Prepare, bytes]:
        decision, name = super().get(query, prepare)
        return decision, self._prefix + name if decision is Prepare.SHOULD else name

    def validate(self, key: Key, prep: Prepare, name: bytes, results: Sequence[Any]) -> None:
        if prep is Prepare.SHOULD and not self._check_results(results):
            # The server has prepared it all the same.
            self._to_flush.append(name)
        super().validate(key, prep, name, results)

    def _should_discard(self, prep: Prepare, results: Sequence[Any], *_: Any) -> bool:
        return False

    def clear(self) -> bool:
        return False

    def forget(self) -> None:
        """Prepare everything once more, as it is needed; the names are new ones."""
        self._counts.clear()
        self._names.clear()
