"""A separate server: ``manage.py up`` as a process on the test database, to be called, killed and restarted."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from tasks.tests.racing import process_environment

PATIENCE = 120
#: What a server says that was kept from working or not running for long, as on a busy machine; the number is seconds.
KEPT_AWAY = re.compile(
    r"^\S+ \S+ WARNING tasks\.actions\.timekeeping: "
    r"No server could answer for (\d+) s; \d+ leases, offers and questions continue\.\n",
    re.MULTILINE,
)


def said_by_itself(errors: Path, *, within: float) -> str:
    """What a server wrote to ``errors``, without sentences that only a slow machine accounts for.

    ``within``: the seconds in which it may have been away; no sentence may tell of more, so whoever asserts on the rest
    also asserts that a server which was quickly back says nothing.
    """
    written = errors.read_text()
    lengths = [int(seconds) for seconds in KEPT_AWAY.findall(written)]
    assert all(seconds <= within + 1 for seconds in lengths), written
    return KEPT_AWAY.sub("", written)


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """What ``condition`` returns once it is true."""
    until = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.1)
    return value


class ServerProcess:
    """Web server and engine in one process; after the first start it comes back at the same address.

    ``first``: Python that the process runs before all else. ``environment``: further environment variables.
    """

    def __init__(self, folder: Path, *, first: str = "", **environment: str) -> None:
        self.first = first
        self.environment = {"API_RATE_LIMIT": "1000000/minute"} | environment
        self.errors = folder / "server.err"
        self.port = 0
        self.start()

    def start(self) -> None:
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *(("-c", f"{self.first}; import manage; manage.main()") if self.first else ("manage.py",)),
                    *("up", "--no-demo", "--json", "--port", str(self.port)),
                ],
                env=process_environment(**self.environment),
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.started = json.loads(line)
        self.url = self.started["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """Like a power cut for the process: SIGKILL, without cleanup."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Caller:
    """A client of the API with a token that retries, under the same key, until it gets an answer."""

    def __init__(self, url: str, token: str, *, give_up: Callable[[], bool] = lambda: False) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=20)
        self.give_up = give_up

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        until = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                # No answer promises nothing: only the same key makes it safe to retry.
                assert key, "a request without a key was cut off"
            else:
                busy = answer.status_code in (502, 503) or "request_in_progress" in answer.text
                if not busy:
                    return answer
            assert time.monotonic() < until, f"nobody answers {path}"
            time.sleep(0.05)

    def close(self) -> None:
        self.http.close()
