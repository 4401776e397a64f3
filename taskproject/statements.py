"""The prepared statements of a connection, which outlast what is rolled back."""

import secrets
from collections.abc import Sequence
from typing import Any

from psycopg import errors
from psycopg._preparing import Prepare, PrepareManager

#: The server does not know a statement that this connection has prepared, knows another by its name, or would give
#: other columns than when it was prepared: after ``DEALLOCATE ALL``, behind a pooler, after a change of the tables.
OUTDATED = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement, errors.FeatureNotSupported)
OUTDATED_STATES = frozenset(error.sqlstate for error in OUTDATED)


class LastingStatements(PrepareManager):
    """psycopg's, but it keeps what is prepared when something is rolled back, as the server does.

    psycopg forgets all statements then, in case tables were created and rolled back; each refused verb would have the
    server plan everything once more. Names are those of this connection alone, so that behind a pooler that mixes
    connections a statement is missing rather than another.
    """

    def __init__(self) -> None:
        super().__init__()
        self._prefix = f"_{secrets.token_hex(4)}_".encode()

    def get(self, query: Any, prepare: bool | None = None) -> tuple[Prepare, bytes]:
        decision, name = super().get(query, prepare)
        return decision, self._prefix + name if decision is Prepare.SHOULD else name

    def _should_discard(self, prep: Prepare, results: Sequence[Any], *_: Any) -> bool:
        return False

    def clear(self) -> bool:
        return False

    def forget(self) -> None:
        """Prepare everything once more, as it is needed; the names are new ones."""
        self._counts.clear()
        self._names.clear()
