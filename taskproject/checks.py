"""System checks: what would endanger data, expose a debugging server, or lose news between processes."""

import ipaddress
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader

from taskproject import sqlite
from taskproject.static_files import collected_before_a_change

IN_MEMORY_LAYER = "channels.layers.InMemoryChannelLayer"
OUR_APPS = ("taskproject", "tasks", "messaging", "reports")


def _version() -> str:
    return ".".join(map(str, sqlite.library_version()))


@register(Tags.database, Tags.security)
def check_sqlite(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """WAL only with a library that cannot corrupt it; reads the file's mode if ``databases`` may be opened."""
    if sqlite.wal_is_safe():
        return []
    messages: list[CheckMessage] = []
    for alias, config in settings.DATABASES.items():
        if config["ENGINE"] not in sqlite.ENGINES:
            continue
        wal = "journal_mode=wal" in str(config.get("OPTIONS", {}).get("init_command", "")).lower().replace(" ", "")
        if not wal and databases and alias in databases:
            with connections[alias].cursor() as cursor:
                cursor.execute("PRAGMA journal_mode")
                wal = cursor.fetchone()[0] == "wal"
        if wal:
            messages.append(
                Error(
                    f"The database is in WAL mode, which SQLite {_version()} can corrupt.",
                    hint="Install pysqlite3 0.6 or newer, or SQLite 3.51.3 or newer.",
                    id="taskproject.E001",
                )
            )
        else:
            messages.append(
                Info(
                    f"SQLite {_version()} is older than 3.51.3, so WAL mode stays off: safe, but slower.",
                    hint="Install pysqlite3 0.6 or newer.",
                    id="taskproject.I001",
                )
            )
    return messages


def foreign_migrations(alias: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Migrations of our apps applied to the database but unknown to this version, such as ``tasks.0007_more``."""
    loader = MigrationLoader(connections[alias])
    foreign = set(loader.applied_migrations) - set(loader.disk_migrations)
    return sorted(f"{app}.{name}" for app, name in foreign if app in OUR_APPS)


def made_by_another_version(foreign: Sequence[str]) -> str:
    """One sentence about a database with these migrations and what to do."""
    return (
        f"The database was created by another version of taskproject ({foreign[-1]} is unknown here). "
        "Run that version, or start with an empty DATA_DIR or database."
    )


@register(Tags.database)
def check_migrations(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A database of another version must not be written: its tables are not those of the models."""
    return [
        Error(made_by_another_version(foreign), id="taskproject.E004")
        for alias in databases or ()
        if (foreign := foreign_migrations(alias))
    ]


def is_local(host: str) -> bool:
    """Whether ``host`` names only this machine."""
    name = host.strip("[]").lstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@register(Tags.security)
def check_debug(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """DEBUG shows source code and settings to anyone who can make a page fail."""
    public = [host for host in settings.ALLOWED_HOSTS if not is_local(host)]
    if not settings.DEBUG or not public:
        return []
    return [
        Warning(
            f"DEBUG is on, but other machines can reach the server as {', '.join(public)}.",
            hint="Set DEBUG=false, or remove the names from ALLOWED_HOSTS.",
            id="taskproject.W002",
        )
    ]


@register()
def check_mail(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Mails that leave the house need a sender that others accept, and the address that their links start with."""
    if not settings.SENDS_MAIL:
        return []
    messages: list[CheckMessage] = []
    if not settings.PUBLIC_URL:
        messages.append(
            Warning(
                "E-mails are sent, but without links: PUBLIC_URL is not set.",
                hint="Set PUBLIC_URL to the address by which people reach the server, as https://tasks.example.org.",
                id="taskproject.W005",
            )
        )
    if is_local(parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]):
        messages.append(
            Warning(
                f"E-mails are sent from {settings.DEFAULT_FROM_EMAIL}, which other mail servers may refuse.",
                hint="Set DEFAULT_FROM_EMAIL to an address of your domain.",
                id="taskproject.W006",
            )
        )
    return messages


@register(Tags.compatibility)
def check_channel_layer(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """PostgreSQL suggests several processes, and the in-memory layer does not span processes."""
    layer = settings.CHANNEL_LAYERS.get("default", {}).get("BACKEND")
    if layer != IN_MEMORY_LAYER or settings.DATABASES["default"]["ENGINE"] in sqlite.ENGINES:
        return []
    return [
        Info(
            "Without REDIS_URL, news does not reach other processes at once; they find it when they poll.",
            hint="Set REDIS_URL if more than one process serves.",
            id="taskproject.I003",
        )
    ]


@register(Tags.staticfiles)
def check_collected_files(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Pages refer to the collected copies, so those must not be older than their sources."""
    name = collected_before_a_change(staticfiles_storage)
    if not name:
        return []
    return [
        Warning(
            f"{name} has changed since the static files were collected, and pages still use the older copy.",
            hint="Run `manage.py collectstatic --noinput` and start again.",
            id="taskproject.W004",
        )
    ]
