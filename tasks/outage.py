"""An outage of the database, as the threads that never end see it: reported once, waited out."""

import logging
from contextlib import suppress
from typing import Final

from django.db import DatabaseError, InterfaceError, connection

#: What Django raises while the database is away.
AWAY: Final = (DatabaseError, InterfaceError)


class Outage:
    """Reports when an outage begins and when it ends, each once. ``who`` begins a sentence, such as ``The engine``."""

    def __init__(self, logger: logging.Logger, who: str) -> None:
        self._logger = logger
        self._who = who
        self._is_on = False

    def begin(self, error: Exception) -> None:
        """The database failed with ``error``, one of ``AWAY``; drops this thread's connection."""
        if not self._is_on:
            self._logger.warning("%s waits for the database: %s", self._who, " ".join(str(error).split())[:200])
        self._is_on = True
        with suppress(*AWAY):
            connection.close()

    def end(self) -> None:
        """The database answered."""
        if self._is_on:
            self._logger.warning("The database is back; %s continues.", self._who[0].lower() + self._who[1:])
        self._is_on = False
