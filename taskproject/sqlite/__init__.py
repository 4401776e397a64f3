"""Which SQLite library the process uses, and what is safe with it.

SQLite before 3.51.3 can corrupt a database in WAL mode when two connections meet at a checkpoint
(https://sqlite.org/wal.html). The ``pysqlite3`` wheel carries a newer library than most systems, so it
replaces the standard module where it is newer; if neither is fixed, WAL stays off.
"""

import sqlite3
import sys

import django

WAL_FIXED_IN = (3, 51, 3)
#: What one connection caches, and all connections of a process together: once they hold that much, each takes the place
#: of its own oldest page for a new one. What is not cached here the system still has in its cache of files.
CACHE_KILOBYTES = 8_000
HEAP_BYTES = 64 * 1024 * 1024
#: Our backend over Django's own; see ``base``.
ENGINE = "taskproject.sqlite"
ENGINES = (ENGINE, "django.db.backends.sqlite3")


def use_newest_library() -> None:
    """Make ``import sqlite3`` load the newest SQLite available. Call before Django loads its backend."""
    try:
        import pysqlite3
        from pysqlite3 import dbapi2
    except ImportError:
        return
    if django.VERSION >= (6, 1) and not hasattr(dbapi2.Connection, "getlimit"):
        return  # Django 6.1 reads the library's limits, which the wheel does not expose.
    if dbapi2.sqlite_version_info > sqlite3.sqlite_version_info:
        sys.modules["sqlite3"] = pysqlite3
        sys.modules["sqlite3.dbapi2"] = dbapi2


def library_version() -> tuple[int, int, int]:
    """Version of the SQLite library that Django uses in this process."""
    from sqlite3 import dbapi2

    return dbapi2.sqlite_version_info


def wal_is_safe() -> bool:
    return library_version() >= WAL_FIXED_IN


def init_command() -> str:
    """Pragmas for each new connection: WAL if it is safe, else the rollback journal; and how much memory it takes."""
    journal = "WAL" if wal_is_safe() else "TRUNCATE"
    return (
        f"PRAGMA journal_mode={journal}; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-{CACHE_KILOBYTES}; "
        f"PRAGMA soft_heap_limit={HEAP_BYTES};"
    )
