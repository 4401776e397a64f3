"""What ``manage.py up`` ensures before it serves: a place to write, a sound database, a login, the demo."""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from taskproject import sqlite
from taskproject.checks import foreign_migrations, made_by_another_version
from tasks.actions.agents import create_token
from tasks.demo import plan
from tasks.models import Agent, Project
from tasks.querysets import SEES_ALL

try:
    import fcntl
except ImportError:  # Windows: two simultaneous first starts are not kept apart there
    fcntl = None  # type: ignore[assignment]

ADMIN = "admin"


class NotReady(Exception):
    """The server cannot start; the message says why in one sentence."""


@dataclass
class Prepared:
    """What the first start created; secrets are present only if they are new."""

    admin: str
    password: str | None = None
    guest_token: str | None = None
    demo: Project | None = None
    #: Whether the demo has its plan before it once more, by request.
    again: bool = False


def require_sound_configuration() -> None:
    """Raise ``NotReady`` for the first system check that fails."""
    for message in checks.run_checks():
        if message.is_serious():
            raise NotReady(f"{message.msg} {message.hint or ''}".strip())


def require_writable_folder() -> None:
    """Raise ``NotReady`` if the SQLite file or its folder cannot be written."""
    if connection.vendor != "sqlite":
        return
    path = Path(str(connection.settings_dict["NAME"]))
    if not path.parent.is_dir():
        raise NotReady(f"The folder of the database, {path.parent}, does not exist.")
    for needed in (path.parent, path):
        if needed.exists() and not os.access(needed, os.W_OK):
            raise NotReady(f"{needed} cannot be written; change its permissions, or set DATA_DIR to a writable folder.")


def require_database() -> None:
    """Raise ``NotReady`` if no database answers, or if this SQLite would endanger it."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            journal = _journal_mode() if connection.vendor == "sqlite" else ""
    except (DatabaseError, sqlite3.Error) as error:
        raise NotReady(f"The database cannot be used: {_reason(error)}.") from None
    if journal == "wal" and not sqlite.wal_is_safe():
        version = ".".join(map(str, sqlite.library_version()))
        raise NotReady(
            f"The database is in WAL mode, which SQLite {version} can corrupt; install pysqlite3 0.6 or newer, "
            "or stop everything that uses the database and start again."
        )


def _journal_mode() -> str:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        return cursor.fetchone()[0]


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one process on this machine prepare the database; another one waits and then finds everything done."""
    if fcntl is None:
        yield
        return
    try:
        descriptor = os.open(settings.DATA_DIR / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NotReady(f"The data folder {settings.DATA_DIR} cannot be written ({error.strerror}).") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def migrate(report: Callable[[str], None]) -> None:
    """Bring the database up to date. Raises ``NotReady``."""
    try:
        if foreign := foreign_migrations():
            raise NotReady(made_by_another_version(foreign))
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            report("Preparing the database …")
            call_command("migrate", verbosity=0, interactive=False)
    except (DatabaseError, sqlite3.Error) as error:
        raise NotReady(f"The database cannot be brought up to date: {_reason(error)}.") from None


def prepare(*, demo: bool, agents: int, again: bool = False) -> Prepared:
    """Create what is missing: a superuser, and the demo if there is no project. All or nothing.

    ``again``: add the plan of a demo that rests once more.
    """
    with transaction.atomic():
        prepared = _first_login()
        if demo and not Project.objects.exists():
            admin = User.objects.get(username=prepared.admin)
            prepared.demo = plan.create_demo(admin=admin, agents=agents)
            guest = Agent.objects.get(slug=plan.GUEST)
            _, prepared.guest_token = create_token(actor=None, agent=guest, name="first")
        elif demo:
            prepared.demo = demo_project()
            if again and prepared.demo is not None:
                admin = User.objects.get(username=prepared.admin)
                prepared.again = plan.tell_again(admin=admin, project=prepared.demo)
    return prepared


def demo_project() -> Project | None:
    """The demo project of an earlier start; a project that people created with the same key does not count."""
    project = Project.objects.filter(key=plan.PROJECT_KEY).first()
    if project is None or not project.members.filter(agent__slug=plan.GUEST).exists():
        return None
    return project


def _first_login() -> Prepared:
    present = User.objects.filter(SEES_ALL).order_by("pk").first()
    if present is not None:
        return Prepared(admin=present.get_username())
    name, number = ADMIN, 1
    while User.objects.filter(username=name).exists():
        number += 1
        name = f"{ADMIN}{number}"
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(username=name, password=password)
    return Prepared(admin=name, password=password)
