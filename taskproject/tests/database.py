"""The test database, as a pytest plugin: one per worker, reset to its migrated state after each test that commits.

Without pytest-xdist, pytest-django creates the only database. With it the controller migrates one, and each worker gets
a copy of it (PostgreSQL: ``CREATE DATABASE … TEMPLATE``, SQLite: a copy of the file).
"""

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest


def _memory() -> str | None:
    """A file system in memory with room for the databases, where SQLite waits for no disk; None if there is none."""
    place = Path("/dev/shm")
    has_room = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > 1_000_000_000
    return str(place) if has_room else None


def _keep_sqlite_in_a_file(folder: str) -> None:
    """As in production: threads and other processes can open it."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"{folder}/test.sqlite3"


class MigratedOnce:
    """The database that the workers' databases are copied from. Lives in the controller of pytest-xdist."""

    def __init__(self) -> None:
        from django.db import connection
        from django.test.utils import setup_databases

        self._folder = TemporaryDirectory(prefix="taskproject-test-", dir=_memory())
        _keep_sqlite_in_a_file(self._folder.name)
        self._before = setup_databases(verbosity=0, interactive=False)
        self._creation = connection.creation
        self._copies: list[str] = []
        connection.close()

    def copy(self, worker: str) -> str:
        """The name of a new database for ``worker``."""
        self._creation.clone_test_db(worker, verbosity=0)
        self._copies.append(worker)
        return str(self._creation.get_test_db_clone_settings(worker)["NAME"])

    def remove_all(self) -> None:
        from django.test.utils import teardown_databases

        for worker in self._copies:
            self._creation.destroy_test_db(suffix=worker, verbosity=0)
        teardown_databases(self._before, verbosity=0)
        self._folder.cleanup()


_migrated_once = pytest.StashKey[MigratedOnce]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the controller, before it starts a worker or replaces a crashed one."""
    from pytest_django.plugin import blocking_manager_key

    with node.config.stash[blocking_manager_key].unblock():
        if _migrated_once not in node.config.stash:
            node.config.stash[_migrated_once] = MigratedOnce()
        node.workerinput["database"] = node.config.stash[_migrated_once].copy(node.workerinput["workerid"])


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    from pytest_django.plugin import blocking_manager_key

    if _migrated_once in config.stash:
        with config.stash[blocking_manager_key].unblock():
            config.stash[_migrated_once].remove_all()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _keep_sqlite_in_a_file(str(tmp_path_factory.mktemp("database")))


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: Any
) -> Generator[None, None, None]:
    """The database of this process; what migrations wrote to it is restored after each test that commits."""
    from django.conf import settings
    from django.db import connection
    from django.test import TransactionTestCase

    copied = getattr(request.config, "workerinput", {}).get("database")
    if copied is None:
        # pytest-django's own fixture of this name.
        request.getfixturevalue("django_db_setup")
    else:
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = copied
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        restore = restoring_what_was_migrated()
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: restore())
        yield
        connection.close()


def restoring_what_was_migrated() -> Callable[[], None]:
    """A function that restores the current content of all tables; ids are not reused.

    Django's ``flush`` truncates and then recreates content types and permissions, which on PostgreSQL costs a hundred
    times as much as deleting the few rows of a test, and loses what migrations had written.
    """
    from django.apps import apps
    from django.contrib.auth.models import Permission
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection, transaction

    # Only `migrate` writes these.
    models = set(apps.get_models(include_auto_created=True)) - {ContentType, Permission}
    emptied = [
        f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}"
        for model in models
        if model._meta.managed and not model._meta.proxy
    ]
    written = [list(model._base_manager.all()) for model in models]

    def restore() -> None:
        # Foreign keys are checked when the transaction ends, so the order does not matter.
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("; ".join(emptied))
            else:
                for statement in emptied:
                    cursor.execute(statement)
            for rows in filter(None, written):
                type(rows[0])._base_manager.bulk_create(rows)

    return restore
