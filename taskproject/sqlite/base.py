"""Django's SQLite backend, with a fair queue for the single writer.

SQLite itself waits by sleeping, longer each time (up to 100 ms), and whoever retries at the right moment goes first:
eight busy threads spend most of their time asleep, and one of them can wait for seconds. Here the threads of a process
queue (``turns``), and the first in line retries every few milliseconds, competing only with other processes.
"""

import random
import time
from sqlite3 import dbapi2
from typing import Any

from django.db import Error
from django.db.backends.sqlite3 import base
from django.db.backends.utils import debug_transaction

from taskproject.outages import EffectsKnown
from taskproject.sqlite.folding import FUNCTION, folded
from taskproject.sqlite.turns import Turns, turns_at

#: Pause between tries while another process writes; one of our transactions takes a few milliseconds.
PAUSE_SECONDS = 0.002
DEFAULT_TIMEOUT_SECONDS = 5.0


class DatabaseWrapper(EffectsKnown, base.DatabaseWrapper):
    """A connection whose transactions wait for their turn; the option ``timeout`` limits the wait, in seconds."""

    transaction_mode: str | None
    #: Whether ``folding`` may use its function.
    knows_case = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns: Turns | None = None

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.create_function(FUNCTION, 1, folded, deterministic=True)
        return connection

    def _start_transaction_under_autocommit(self) -> None:
        if self.transaction_mode != "IMMEDIATE" or self.is_in_memory_db():
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # unknown to the stubs
            return
        timeout = float(self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT_SECONDS))
        until = time.monotonic() + timeout
        turns = turns_at(str(self.settings_dict["NAME"]))
        # Not getting the turn is not an error yet: SQLite decides, within the same timeout.
        if turns.take(timeout):
            self._turns = turns
        try:
            with debug_transaction(self, "BEGIN IMMEDIATE"), self.wrap_database_errors:
                self._begin(until, timeout)
        except BaseException:
            self._pass_on()
            raise

    def _begin(self, until: float, timeout: float) -> None:
        connection = self.connection
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except dbapi2.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() >= until:
                        raise
                time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(timeout * 1000)}")

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
