"""System checks: each reports what it should and is silent when all is well."""

import re
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from taskproject import checks, diagnosis, sqlite
from taskproject.server import first_start


def ids(messages):
    return [message.id for message in messages]


@pytest.fixture
def databases(monkeypatch):
    """``databases(engine, layer=…, **options)``: the settings that the checks read, without opening a database."""

    def use(engine, *, layer="", **options):
        values = SimpleNamespace(
            DATABASES={"default": {"ENGINE": engine, "OPTIONS": options}},
            CHANNEL_LAYERS={"default": {"BACKEND": layer}},
        )
        monkeypatch.setattr(checks, "settings", values)

    return use


def test_fixed_sqlite_is_fine_in_wal_mode(databases, monkeypatch):
    monkeypatch.setattr(sqlite, "library_version", lambda: (3, 51, 3))
    databases(sqlite.ENGINE, init_command="PRAGMA journal_mode=WAL;")
    assert checks.check_sqlite() == []


def test_old_sqlite_in_wal_mode_is_an_error(databases, monkeypatch):
    monkeypatch.setattr(sqlite, "library_version", lambda: (3, 51, 2))
    databases(sqlite.ENGINE, init_command="PRAGMA journal_mode = wal;")
    [error] = checks.check_sqlite()
    assert (error.id, error.is_serious()) == ("taskproject.E001", True)
    assert "3.51.2" in error.msg


def test_old_sqlite_without_wal_is_mentioned(databases, monkeypatch):
    monkeypatch.setattr(sqlite, "library_version", lambda: (3, 40, 1))
    databases(sqlite.ENGINE, init_command="PRAGMA journal_mode=TRUNCATE;")
    [info] = checks.check_sqlite()
    assert (info.id, info.is_serious()) == ("taskproject.I001", False)


def test_our_own_settings_keep_wal_off_where_it_is_not_safe(monkeypatch):
    monkeypatch.setattr(sqlite, "library_version", lambda: (3, 40, 1))
    assert "journal_mode=TRUNCATE" in sqlite.init_command()
    monkeypatch.setattr(sqlite, "library_version", lambda: (3, 51, 3))
    assert "journal_mode=WAL" in sqlite.init_command()


@pytest.mark.parametrize(
    ("debug", "hosts", "expected"),
    [
        (True, ["localhost", "127.0.0.1", "[::1]", ".localhost"], []),
        (True, ["tasks.example.org"], ["taskproject.W002"]),
        (True, ["*"], ["taskproject.W002"]),
        (False, ["tasks.example.org"], []),
    ],
)
def test_debug_with_public_hosts_is_a_warning(settings, debug, hosts, expected):
    settings.DEBUG, settings.ALLOWED_HOSTS = debug, hosts
    assert ids(checks.check_debug()) == expected


@pytest.mark.parametrize(
    ("backend", "url", "sender", "expected"),
    [
        ("console", "", "taskproject@localhost", []),
        ("smtp", "https://tasks.example.org", "tasks@example.org", []),
        ("smtp", "", "Tasks <tasks@example.org>", ["taskproject.W005"]),
        ("smtp", "https://tasks.example.org", "taskproject@localhost", ["taskproject.W006"]),
    ],
)
def test_mails_without_links_or_with_a_sender_that_others_refuse_are_a_warning(
    settings, backend, url, sender, expected
):
    settings.SENDS_MAIL = backend == "smtp"
    settings.PUBLIC_URL, settings.DEFAULT_FROM_EMAIL = url, sender
    assert ids(checks.check_mail()) == expected


@pytest.mark.parametrize(
    ("engine", "layer", "expected"),
    [
        ("django.db.backends.postgresql", checks.IN_MEMORY_LAYER, ["taskproject.I003"]),
        ("django.db.backends.postgresql", "channels_redis.pubsub.RedisPubSubChannelLayer", []),
        (sqlite.ENGINE, checks.IN_MEMORY_LAYER, []),
        ("django.db.backends.sqlite3", checks.IN_MEMORY_LAYER, []),
    ],
)
def test_in_memory_layer_beside_postgresql_is_mentioned(databases, engine, layer, expected):
    databases(engine, layer=layer)
    assert ids(checks.check_channel_layer()) == expected


@pytest.mark.django_db
def test_database_of_another_version_is_refused_by_every_door():
    MigrationRecorder(connection).record_applied("tasks", "0005_of_another_version")
    sentence = (
        "The database was created by another version of taskproject (tasks.0005_of_another_version is unknown here)"
    )
    [error] = checks.check_migrations(databases=["default"])
    assert (error.id, error.is_serious()) == ("taskproject.E004", True)
    assert sentence in error.msg
    with pytest.raises(SystemCheckError, match=re.escape(sentence)):
        call_command("migrate", skip_checks=False)
    with pytest.raises(first_start.NotReady, match=re.escape(sentence)):
        first_start.migrate(report=lambda text: None)
    assert [sentence in finding.detail for finding in diagnosis._migrations()] == [True]


@pytest.mark.django_db
def test_migrations_of_libraries_are_their_own_concern():
    MigrationRecorder(connection).record_applied("auth", "0999_of_a_newer_django")
    assert checks.check_migrations(databases=["default"]) == []
