"""Django's SQLite backend, with a fair queue for the single writer.

SQLite itself waits by sleeping, longer each time (up to 100 ms), and whoever retries at the right moment goes first:
eight busy threads spend most of their time asleep, and one of them can wait for seconds. Here the threads of a process
queue (``turns``), and the first in line retries every few milliseconds, competing only with other processes.
"""

import random
import time
from collections.abc import Callable
from sqlite3 import dbapi2
from typing import Any

from django.conf import settings
from django.db import Error
from django.db.backends.sqlite3 import base
from django.db.backends.utils import debug_transaction

from taskproject.outages import EffectsKnown
from taskproject.sqlite.folding import FUNCTION, folded
from taskproject.sqlite.turns import Stuck, Turns, turns_at

#: Pause between tries while another process writes; one of our transactions takes a few milliseconds.
PAUSE_SECONDS = 0.002
DEFAULT_TIMEOUT_SECONDS = 5.0
#: How long a request that may write waits for the lock: less than its client does. Commands and the engine wait for the
#: option ``timeout``.
REQUEST_SECONDS = 10.0
#: How long a request that only reads waits where it would write after all, such as to remove a session that has ended.
READ_SECONDS = 0.05


class DatabaseWrapper(EffectsKnown, base.DatabaseWrapper):
    """A connection whose writes wait for their turn; the option ``timeout`` limits the wait, in seconds."""

    transaction_mode: str | None
    #: Whether ``folding`` may use its function.
    knows_case = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns: Turns | None = None
        #: What the request that this thread serves may wait; None if it serves none.
        self._request_seconds: float | None = None

    def begin_request(self, *, only_reads: bool) -> None:
        super().begin_request(only_reads=only_reads)
        self._request_seconds = READ_SECONDS if only_reads else REQUEST_SECONDS

    def end_request(self) -> None:
        super().end_request()
        self._request_seconds = None

    @property
    def _timeout(self) -> float:
        return float(self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT_SECONDS))

    @property
    def _patience(self) -> float:
        return self._timeout if self._request_seconds is None else min(self._timeout, self._request_seconds)

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.create_function(FUNCTION, 1, folded, deterministic=True)
        return connection

    def _start_transaction_under_autocommit(self) -> None:
        if self.transaction_mode != "IMMEDIATE" or self.is_in_memory_db():
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # unknown to the stubs
            return
        try:
            with debug_transaction(self, "BEGIN IMMEDIATE"), self.wrap_database_errors:
                until = self._take_turn()
                self._begin(until)
        except BaseException:
            self._pass_on()
            raise

    def _execute_alone(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.transaction_mode != "IMMEDIATE" or self.is_in_memory_db():
            return super()._execute_alone(execute, sql, params, many, context)
        self.ensure_connection()
        try:
            with self.wrap_database_errors:
                until = self._take_turn()
            self._be_patient(max(0.0, until - time.monotonic()))
            return super()._execute_alone(execute, sql, params, many, context)
        finally:
            self._pass_on()
            self._be_patient(self._timeout)

    def _take_turn(self) -> float:
        """Wait in line; returns until when to try for the lock."""
        patience = self._patience
        until = time.monotonic() + patience
        turns = turns_at(str(self.settings_dict["NAME"]))
        # Threads are few: if the line does not move, those that read need the rest.
        most = settings.HTTP_THREADS // 2 if self._request_seconds is not None else None
        try:
            if turns.take(patience, most_waiting=most):
                self._turns = turns
        except Stuck:
            raise dbapi2.OperationalError("database is locked, and enough others wait for it") from None
        # Not getting the turn is not an error yet: SQLite decides, within the same patience.
        return until

    def _begin(self, until: float) -> None:
        self._be_patient(0)
        try:
            while True:
                try:
                    self.connection.execute("BEGIN IMMEDIATE")
                    return
                except dbapi2.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() >= until:
                        raise
                time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
        finally:
            self._be_patient(self._timeout)

    def _be_patient(self, seconds: float) -> None:
        """How long SQLite itself waits for a lock. Without WAL, reads need it too, for the moment of a commit."""
        if self.connection is not None:
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _pass_on(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.pass_on()

    def _commit(self) -> None:
        super()._commit()
        # Not if the commit failed: the transaction stays open until it is rolled back.
        self._pass_on()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # unknown to the stubs
        finally:
            self._pass_on()

    @staticmethod
    def _was_refused(error: Error) -> bool:
        """SQLite runs in this process: what failed was not done, whatever the reason."""
        return True

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # unknown to the stubs
        finally:
            self._pass_on()
