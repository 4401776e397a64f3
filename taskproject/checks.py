"""System checks: what would endanger the data, open a debugging server, or let news get lost between processes."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import connections

from taskproject import sqlite

IN_MEMORY_LAYER = "channels.layers.InMemoryChannelLayer"


def _version() -> str:
    return ".".join(map(str, sqlite.library_version()))


@register(Tags.database, Tags.security)
def check_sqlite(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """WAL only with a library that cannot corrupt it; looks into the file where ``databases`` may be opened."""
    if sqlite.wal_is_safe():
        return []
    found: list[CheckMessage] = []
    for alias, config in settings.DATABASES.items():
        if config["ENGINE"] not in sqlite.ENGINES:
            continue
        wal = "journal_mode=wal" in str(config.get("OPTIONS", {}).get("init_command", "")).lower().replace(" ", "")
        if not wal and databases and alias in databases:
            with connections[alias].cursor() as cursor:
                cursor.execute("PRAGMA journal_mode")
                wal = cursor.fetchone()[0] == "wal"
        if wal:
            found.append(
                Error(
                    f"The database is in WAL mode, which SQLite {_version()} can corrupt.",
                    hint="Install pysqlite3 0.6 or newer, or an SQLite from 3.51.3 on.",
                    id="taskproject.E001",
                )
            )
        else:
            found.append(
                Info(
                    f"SQLite {_version()} is older than 3.51.3, so WAL mode stays off: safe, but slower.",
                    hint="Install pysqlite3 0.6 or newer.",
                    id="taskproject.I001",
                )
            )
    return found


def is_local(host: str) -> bool:
    """Whether only this machine answers to ``host``."""
    name = host.strip("[]").lstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@register(Tags.security)
def check_debug(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """DEBUG shows source code and settings to whoever can make a page fail."""
    public = [host for host in settings.ALLOWED_HOSTS if not is_local(host)]
    if not settings.DEBUG or not public:
        return []
    return [
        Warning(
            f"DEBUG is on while others may reach the server as {', '.join(public)}.",
            hint="Set DEBUG=false, or take the names out of ALLOWED_HOSTS.",
            id="taskproject.W002",
        )
    ]


@register(Tags.compatibility)
def check_channel_layer(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """PostgreSQL suggests several processes, and the in-memory layer does not reach from one to another."""
    layer = settings.CHANNEL_LAYERS.get("default", {}).get("BACKEND")
    if layer != IN_MEMORY_LAYER or settings.DATABASES["default"]["ENGINE"] in sqlite.ENGINES:
        return []
    return [
        Info(
            "Without REDIS_URL news does not pass from process to process at once; readers find it when they poll.",
            hint="Set REDIS_URL where more than one process serves.",
            id="taskproject.I003",
        )
    ]
