"""The processes of a run, each to be killed (SIGKILL) and started again at the same address."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from bench.cluster import NoPostgres, binaries, free_port
from bench.processes import ROOT, environment

PATIENCE = 90.0
#: The signal behind ``kill -9``.
KILL = signal.SIGKILL


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"waited {PATIENCE:.0f} s in vain until {what}")
        time.sleep(0.05)


def _family(pid: int) -> list[int]:
    """The process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(OSError):
        return [pid, *map(int, children.read_text().split())]
    return [pid]


class Part:
    """One process of the estate. ``log`` collects what it prints from all its lives."""

    def __init__(self, name: str, command: list[str], folder: Path, variables: dict[str, str] | None = None) -> None:
        self.name, self.command, self.variables = name, command, variables
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self.process is not None
        self.kills += 1
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def is_ready(self) -> bool:
        """Whether it does its work again; raises if it ended by itself."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself with code {self.process.returncode}; see {self.log}")
        return True


class WebServer(Part):
    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable, "-m", "uvicorn", "taskproject.asgi:application", "--host", "127.0.0.1",
            "--port", str(self.port), "--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "75",
            "--timeout-graceful-shutdown", "5",
            "--http", "taskproject.http.protocol:BoundedProtocol", "--ws", "taskproject.http.protocol:BoundedSocket",
        ]  # fmt: skip
        super().__init__(name, command, folder, variables)

    def is_ready(self) -> bool:
        super().is_ready()
        try:
            urllib.request.urlopen(f"{self.url}/api/v1/me", timeout=5)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


class Redis(Part):
    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise NoPostgres("No redis-server is installed here; install it.")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__("redis", command, folder)


class Postgres(Part):
    """A server with default durability; a kill takes the postmaster and all that it started."""

    def __init__(self, folder: Path) -> None:
        programs = binaries()
        self.folder = folder / "postgres"
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user is not None:
            # PostgreSQL refuses to run as root.
            pwd.getpwnam(self.user)
            folder.chmod(0o755)
            shutil.chown(self.folder, self.user)
        data = self.folder / "data"
        make = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*make, "--locale=C.UTF-8"], check=True, cwd=self.folder, stdout=subprocess.DEVNULL, user=self.user
        )
        options = ["-p", str(self.port), "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1"]
        super().__init__("postgres", [str(programs / "postgres"), "-D", str(data), *options], folder)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self.user
            )

    def kill(self) -> None:
        assert self.process is not None
        self.kills += 1
        family = _family(self.process.pid)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, KILL)
        self.process.wait()
        # Their shared memory must be free before the next start.
        wait_until(lambda: not any(_is_running(pid) for pid in family), "the killed PostgreSQL has gone")

    def is_ready(self) -> bool:
        super().is_ready()
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            # SIGINT is a fast shutdown, SIGTERM would wait for clients.
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        super().stop()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Estate:
    """All parts, started and migrated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres, self.redis = Postgres(folder), Redis(folder)
        # The servers may share a machine with their clients: more threads would only queue for its cores.
        self.variables = environment(self.postgres.url) | {
            "REDIS_URL": self.redis.url,
            "DATA_DIR": str(folder),
            "HTTP_THREADS": "16",
        }
        self.servers = [WebServer(f"server-{n}", folder, self.variables) for n in (1, 2)]
        manage = [sys.executable, "manage.py", "engine"]
        self.engines = [Part(f"engine-{n}", manage, folder, self.variables) for n in (1, 2)]

    @property
    def parts(self) -> list[Part]:
        return [self.postgres, self.redis, *self.servers, *self.engines]

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def start(self) -> None:
        for part in (self.postgres, self.redis):
            part.start()
        wait_until(self.postgres.is_ready, "PostgreSQL answers")
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, check=True, cwd=ROOT, env=self.variables)
        for part in (*self.servers, *self.engines):
            part.start()
        for server in self.servers:
            wait_until(server.is_ready, f"{server.name} answers")

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()

    def forget(self) -> None:
        """Remove the folder with data and logs."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def newest_event(self) -> int:
        """The highest id of a committed event that every follower may see."""
        with psycopg.connect(self.postgres.url, connect_timeout=5) as connection:
            row = connection.execute("SELECT max(id) FROM tasks_event WHERE recipient_id IS NULL").fetchone()
        return (row[0] if row else 0) or 0


@contextmanager
def estate() -> Iterator[Estate]:
    """A running estate; its folder with the logs stays until ``forget``."""
    folder = Path(mkdtemp(prefix="taskproject-chaos-", dir=os.environ.get("BENCH_DIR")))
    made = Estate(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
