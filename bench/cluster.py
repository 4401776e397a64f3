"""Databases to measure on: a throwaway PostgreSQL with default durability, or a given one; SQLite files."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

NAME = "taskproject_bench"


class NoPostgres(Exception):
    """There is no PostgreSQL to measure on; the message says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binaries() -> Path:
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise NoPostgres("No PostgreSQL is installed here; install it, or name a server with --postgres URL.")
    return versions[-1].parent


@contextlib.contextmanager
def throwaway() -> Iterator[str]:
    """The URL of a temporary PostgreSQL with default settings (fsync on). Raises ``NoPostgres``."""
    programs, port = binaries(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="taskproject-bench-", dir=os.environ.get("BENCH_DIR")))
    owner: dict[str, str] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        pwd.getpwnam("postgres")
        shutil.chown(folder, "postgres")
        owner = {"user": "postgres"}

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **owner)

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postgres(url: str | None) -> Iterator[str]:
    """The URL of the server at ``url``, or of a throwaway one."""
    if url:
        yield url
    else:
        with throwaway() as own:
            yield own


def fresh_database(server: str, suffix: str, *, like: str | None = None) -> str:
    """The URL of an empty database on ``server``, named after the benchmark; an old one of that name is dropped.

    ``like``: a copy of the database at that URL, which nobody may be using.
    """
    name = f"{NAME}_{suffix}"
    template = sql.Identifier(urlsplit(like).path.lstrip("/") if like else "template1")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def drop_database(server: str, url: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def settings_of(server: str) -> str:
    """One line about the server measured: version and durability."""
    with psycopg.connect(server) as connection:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        values = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
    return ", ".join(f"{name} {value[0]}" for name, value in zip(names, values, strict=True) if value)
