"""The database's clock decides on leases and due dates, never the clock of an application host."""

import time
from datetime import UTC, datetime

from django.db import connection

from taskproject.prepared.running import run


def now() -> datetime:
    """The present time in UTC. On SQLite the database runs in this process, so its clock is ours."""
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    [(moment,)], _ = run("SELECT clock_timestamp()", [])
    return moment


def monotonic() -> float:
    """Seconds by this process's own clock, which nobody sets; only differences mean anything."""
    return time.monotonic()
