"""The processes of a run: HTTP servers, clients and yardsticks, each started, awaited and stopped here."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

#: How each server is started on ``{port}``, with one process.
SERVERS = {
    "embedded": (
        "-m", "uvicorn", "taskproject.asgi:application", "--host", "127.0.0.1", "--port", "{port}",
        "--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "75",
    ),
    "production": (
        "-m", "granian", "taskproject.wsgi:application", "--interface", "wsgi", "--host", "127.0.0.1",
        "--port", "{port}", "--workers", "1", "--blocking-threads", "8", "--log-level", "warning",
    ),
}  # fmt: skip
#: Yardsticks behind a door of their own, on the WSGI server.
DOORS = {
    name: tuple(part.replace("taskproject.wsgi", f"bench.doors.{name}") for part in SERVERS["production"])
    for name in ("same_facts", "behind_procrastinate")
}


def environment(database: str) -> dict[str, str]:
    """The environment of the project being measured; only PATH comes from the caller's."""
    folder = Path(tempfile.gettempdir()) / "taskproject-bench-data"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "LANG") if name in os.environ}
    return {
        **kept,
        "DATABASE_URL": database,
        "DATA_DIR": str(folder),
        "SECRET_KEY": "only-for-measurements-on-this-machine",
        # Requests are still counted, but eight clients without pauses would exceed the default limit.
        "API_RATE_LIMIT": "100000000/minute",
    }


def run_module(module: str, *arguments: str, database: str) -> Any:
    """Run ``python -m module …`` to its end. Returns the JSON on its last line; its stderr is ours."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(database), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


@dataclass
class Server:
    """A running HTTP server; ``cpu_seconds`` is what its processes have used so far."""

    process: subprocess.Popen[bytes]
    port: int

    def _family(self) -> list[int]:
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children")
        return [own, *map(int, children.read_text().split())] if children.exists() else [own]

    def cpu_seconds(self) -> float:
        total = 0
        for pid in self._family():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory(self) -> int:
        """Resident bytes."""
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE for pid in self._family())


@contextlib.contextmanager
def serving(kind: str, database: str, *, settings: str = "taskproject.settings") -> Iterator[Server]:
    """A ``kind`` server of the project, or a yardstick's, on ``database`` with these settings, stopped afterwards."""
    port = free_port()
    command = [sys.executable, *(part.format(port=port) for part in {**SERVERS, **DOORS}[kind])]
    variables = {**environment(database), "DJANGO_SETTINGS_MODULE": settings}
    process = subprocess.Popen(command, cwd=ROOT, env=variables)
    try:
        _wait_for(port, process)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server exited at once with code {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/me", timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not answer within {START_SECONDS} s")


class Clients:
    """Client processes, one per token, that all start at the same moment. ``finished``: how much they last did."""

    finished = 0

    def __init__(self, port: int, tokens: list[str], *, batch: int = 1) -> None:
        script = str(ROOT / "bench" / "agent.py")
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-S", script, "127.0.0.1", str(port), token, str(batch)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for token in tokens
        ]
        for process in self.processes:
            self._read(process)

    @staticmethod
    def _read(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("a client stopped early; its error is above")
        return line

    def work(self, seconds: float) -> float:
        """Let all clients work for ``seconds``. Returns their total of finished tasks per second."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        results = [json.loads(self._read(process)) for process in self.processes]
        self.finished = sum(result["done"] for result in results)
        return self.finished / max(result["seconds"] for result in results)

    def end(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.processes:
            process.wait(10)

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
