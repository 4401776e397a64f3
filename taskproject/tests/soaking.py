"""A server under steady work: agents that claim, report and complete, readers of lists, and open sockets.

The clients live in the caller's process and keep nothing, so that whatever grows is the server.
"""

import asyncio
import contextlib
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

MEGABYTE = 1024 * 1024
#: What people and agents look at meanwhile.
LOOKS = (
    "tasks?limit=50", "tasks?status=completed&limit=50", "tasks?q=soak&limit=20", "me", "agents", "notifications",
    "events?after=now", "inbox", "reports/completed",
)  # fmt: skip
BETWEEN_SAMPLES = 1.0


@dataclass
class Memory:
    """What a process held at one moment, in MB: of its own, and with the files that it maps."""

    at: float
    own: float
    resident: float


def memory_of(pid: int) -> Memory:
    """What process ``pid`` holds now; only on Linux."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    kilobytes = {name: int(fields[name].split()[0]) for name in ("RssAnon", "VmRSS")}
    return Memory(time.monotonic(), kilobytes["RssAnon"] / 1024, kilobytes["VmRSS"] / 1024)


def slope(samples: Sequence[Memory]) -> float:
    """MB a minute that these samples grow by: the median of the slopes between all pairs (Theil and Sen), which a few
    outliers do not move. Pairs are taken of at most 200 samples.
    """
    few = samples[:: max(1, len(samples) // 200)]
    pairs = itertools.combinations(few, 2)
    return 60 * median((later.own - earlier.own) / (later.at - earlier.at) for earlier, later in pairs)


@dataclass
class Load:
    """Clients that work on the server at ``url`` until they are stopped; each token is one agent's.

    ``rest``: seconds that an agent rests after each task, so that the load is steady.
    """

    url: str
    tokens: Sequence[str]
    project: str = "OPS"
    sockets: int = 10
    rest: float = 0.0
    cycles: int = 0
    frames: int = 0
    looks: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        calls: list[Callable[[], None]] = [lambda token=token: self._work(token) for token in self.tokens]
        calls += [lambda: self._look(self.tokens[0]), lambda: asyncio.run(self._listen())]
        self._threads = [threading.Thread(target=self._kept, args=(call,), daemon=True) for call in calls]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client of the soak hangs"

    def _kept(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self.failures.append(repr(error))

    def _work(self, token: str) -> None:
        with Caller(self.url, token) as call:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                call("POST", "tasks", {"project": self.project, "title": f"Soak {number}", "description": "word " * 50})
                runs = call("POST", "tasks/claim_next", {"limit": 1})["runs"]
                for run in runs:
                    call("POST", f"runs/{run['id']}/heartbeat", {})
                    call("POST", f"runs/{run['id']}/progress", {"percent": 50, "note": f"half of {number}"})
                    call("POST", f"runs/{run['id']}/complete", {"summary": "done"}, key=f"{run['id']}")
                    self.cycles += 1
                self._stop.wait(self.rest)

    def _look(self, token: str) -> None:
        with Caller(self.url, token) as call:
            for path in itertools.cycle(LOOKS):
                if self._stop.is_set():
                    return
                call("GET", path)
                self.looks += 1
                self._stop.wait(0.05)

    async def _listen(self) -> None:
        await asyncio.gather(*(self._follow(number) for number in range(self.sockets)))

    async def _follow(self, number: int) -> None:
        address = f"{self.url.replace('http', 'ws', 1)}/ws/events"
        headers = {"Authorization": f"Bearer {self.tokens[number % len(self.tokens)]}"}
        while not self._stop.is_set():
            # Each leaves and comes back now and then, as browsers do.
            stay = time.monotonic() + 20 + number
            async with connect(address, additional_headers=headers, max_size=None) as socket:
                while not self._stop.is_set() and time.monotonic() < stay:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(socket.recv(), 0.5)
                        self.frames += 1


class Caller:
    """One connection to the API that is kept; raises for every answer that is not a success."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def __call__(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        self._http.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)


def watch(pid: int, seconds: float) -> list[Memory]:
    """What process ``pid`` holds, sampled for that long."""
    samples, until = [memory_of(pid)], time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(BETWEEN_SAMPLES)
        samples.append(memory_of(pid))
    return samples
