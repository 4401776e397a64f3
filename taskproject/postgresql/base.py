"""Django's PostgreSQL backend; its connections know whether they may have had an effect, and leave a demoted server."""

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.db.backends.postgresql import base

from taskproject.outages import READ_ONLY, EffectsKnown, sqlstate
from taskproject.postgresql import PREPARED


class DatabaseWrapper(EffectsKnown, base.DatabaseWrapper):
    """A connection that counts as unusable once the server refused to write: after a failover it may be a standby."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_read_only = False

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.prepared_max = PREPARED
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

    def is_usable(self) -> bool:
        return not self._is_read_only and super().is_usable()
