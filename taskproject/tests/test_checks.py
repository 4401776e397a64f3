"""System checks: each reports what it should and is silent when all is well."""

from types import SimpleNamespace

import pytest

from taskproject import checks, sqlite


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
