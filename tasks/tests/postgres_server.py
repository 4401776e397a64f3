"""The test's own PostgreSQL, in a folder of its own, to be crashed and started again."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

#: A crash here is one of PostgreSQL, not of the machine: what was written reaches the disk without waiting for it.
OPTIONS = "-c fsync=off -c full_page_writes=off -c max_connections=60 -c shared_buffers=16MB"
SECONDS = "120"


def _program(name: str) -> str:
    """The path of a server program; Debian keeps them out of ``PATH``, a folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    program = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)]))
    if program is None:
        pytest.skip("Only on machines with PostgreSQL's server programs")
    return program


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A server with an empty database ``test``; it keeps its address and its data from one start to the next."""

    def __init__(self) -> None:
        self._control, make = _program("pg_ctl"), _program("initdb")
        # Not below pytest's folder, which the server's user may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = _free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/test"
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._run(make, "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C")
        self.start()
        self._run(_program("createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "test")

    def _run(self, *command: str) -> None:
        # PostgreSQL refuses to be run by root.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        environment = os.environ | {"PGDATA": str(self.folder / "data")}
        ended = subprocess.run(
            [*user, *command], env=environment, cwd=self.folder, capture_output=True, text=True, timeout=180
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def start(self) -> None:
        log = str(self.folder / "log")
        options = f"{OPTIONS} -c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder}"
        self._run(self._control, "start", "--wait", "-t", SECONDS, "-l", log, "-o", options)

    def crash(self) -> None:
        """End at once and clean nothing up: the next start recovers from the log, as after a kill."""
        self._run(self._control, "stop", "--mode=immediate", "--wait", "-t", SECONDS)

    def remove(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self.crash()
        shutil.rmtree(self.folder)
