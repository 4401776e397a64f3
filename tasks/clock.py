"""The database's clock decides on leases and due dates, never the clock of an application host."""

import time
from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """The present time in UTC. On SQLite the database runs in this process, so its clock is ours."""
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def monotonic() -> float:
    """Seconds by this process's own clock, which nobody sets; only differences mean anything."""
    return time.monotonic()
