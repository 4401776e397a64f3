"""How long a report may take, and how large it may be."""

from contextlib import AbstractContextManager

from django.db import DEFAULT_DB_ALIAS

from taskproject import time_limits
from taskproject.errors import DomainError
from taskproject.time_limits import check_time

__all__ = ["SECONDS", "TooLarge", "TooSlow", "check_time", "limited"]

SECONDS = 30.0


class TooLarge(DomainError):
    """A report would have more cells than anybody reads."""

    code, status, title = "too_large", 400, "The report is too large"


class TooSlow(DomainError):
    """The database took too long."""

    code, status, title = "too_slow", 400, "The answer takes too long"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The report takes longer than {seconds:g} seconds.", "Choose a shorter period, or group by less."
        )


def limited(seconds: float | None = None, using: str = DEFAULT_DB_ALIAS) -> AbstractContextManager[None]:
    """Within it what takes longer is stopped. Raises ``TooSlow``."""
    return time_limits.limited(SECONDS if seconds is None else seconds, TooSlow, using)
