"""Which SQLite library the process uses, and what is safe to do with it.

SQLite before 3.51.3 can corrupt a database in WAL mode when two connections meet at a checkpoint
(https://sqlite.org/wal.html). The ``pysqlite3`` wheel carries a newer library than most systems do, so it
stands in for the standard module where it is newer; where neither is fixed, WAL stays off.
"""

import sqlite3
import sys

import django

WAL_FIXED_IN = (3, 51, 3)
#: Our backend over Django's own; see ``base``.
ENGINE = "taskproject.sqlite"
ENGINES = (ENGINE, "django.db.backends.sqlite3")


def use_newest_library() -> None:
    """Let ``import sqlite3`` mean the newest SQLite at hand. Call before Django loads its backend."""
    try:
        import pysqlite3
        from pysqlite3 import dbapi2
    except ImportError:
        return
    if django.VERSION >= (6, 1) and not hasattr(dbapi2.Connection, "getlimit"):
        return  # Django 6.1 reads the library's limits, which the wheel does not tell.
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
    """Pragmas for each new connection: WAL where it is safe, else the rollback journal."""
    journal = "WAL" if wal_is_safe() else "TRUNCATE"
    return f"PRAGMA journal_mode={journal}; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;"
