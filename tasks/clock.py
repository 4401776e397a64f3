"""The database's clock decides on leases and due dates, never the clock of an application host."""

import time
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Func

from taskproject.prepared.running import run


def now() -> datetime:
    """The present time in UTC. On SQLite the database runs in this process, so its clock is ours."""
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    [(moment,)], _ = run("SELECT clock_timestamp()", [])
    return moment


class Clock(Func):
    """``now`` as a column, read with a row; on SQLite NULL, because its clock is ours."""

    template = "NULL"
    arity = 0
    output_field = DateTimeField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        return "clock_timestamp()", ()


def read(moment: datetime | None) -> datetime:
    """The time in a column of ``Clock``."""
    return moment or datetime.now(UTC)


def monotonic() -> float:
    """Seconds by this process's own clock, which nobody sets; only differences mean anything."""
    return time.monotonic()
