"""Django's PostgreSQL backend; its connections know whether they may have had an effect, and leave a demoted server."""

import select
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader

from taskproject.outages import READ_ONLY, EffectsKnown, sqlstate
from taskproject.postgresql import PREPARED
from taskproject.statements import LastingStatements


class MomentLoader(BaseTzLoader):
    """Reads times as they come in sessions in UTC, several times as fast as the driver; all others as Django does."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        text = bytes(data)
        if text.endswith(b"+00"):
            try:
                return datetime.fromisoformat(text.decode())
            except ValueError:
                pass
        moment: datetime = super().load(data)
        return moment


class DatabaseWrapper(EffectsKnown, base.DatabaseWrapper):
    """A connection that counts as unusable once the server refused to write: after a failover it may be a standby."""

    health_check_done: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_read_only = False

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection._prepared = LastingStatements(connection.prepare_threshold)
        connection.prepared_max = PREPARED
        if self.timezone == UTC:
            connection.adapters.register_loader("timestamptz", MomentLoader)
        return connection

    def connect(self) -> None:
        self._is_read_only = False
        super().connect()

    def _watch(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        try:
            return super()._watch(execute, sql, params, many, context)
        except DatabaseError as error:
            if sqlstate(error) == READ_ONLY:
                self._is_read_only = True
            raise

    def close_if_health_check_failed(self) -> None:
        """As Django's, but the server is asked only if there are bytes from it, such as its farewell, or were errors.

        A connection on which nothing has arrived since its last statement is either well or cut silently, and then
        asking would wait for the system to give it up just as the statement does.
        """
        if self.connection is None or self.health_check_done:
            return
        if self.errors_occurred or self._is_read_only or self._has_news():
            super().close_if_health_check_failed()
        self.health_check_done = True

    def _has_news(self) -> bool:
        """Whether the server has sent something, or hung up, since the last statement."""
        if self.connection.closed:
            return True
        poller = select.poll()
        poller.register(self.connection.fileno(), select.POLLIN)
        return bool(poller.poll(0))

    def is_usable(self) -> bool:
        return not self._is_read_only and super().is_usable()
