"""One event to many sockets: deliveries per second next to Flask-SocketIO, and how long a commit takes to arrive."""

import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import drop_database, free_port, fresh_database
from bench.processes import ROOT, START_SECONDS, environment, run_module
from bench.table import Figure, of_rounds

SOCKETS = 200
YARDSTICK = "Flask-SocketIO, gevent"
ASKED_P99 = 100


@dataclass(frozen=True)
class Size:
    """``events`` per burst, ``rounds`` alternating with the yardstick, ``seconds`` of 50 events/s for the latency."""

    events: int
    rounds: int
    seconds: int


QUICK = Size(events=20, rounds=1, seconds=2)
FULL = Size(events=100, rounds=5, seconds=20)
PER_SECOND = 50


class Process:
    """A process that answers lines with JSON."""

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} stopped early; its error is above")
        return line

    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.line())
        return answer

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _await_port(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listened within {START_SECONDS} s")


@contextlib.contextmanager
def _side(
    kind: str, variables: dict[str, str], token: str, *, apart: bool = False
) -> Iterator[tuple[Process, Process]]:
    """The sender and the receiving sockets; ``apart``: events are recorded in a process that serves no sockets."""
    port = free_port()
    started = [Process(["-m", f"bench.fanout_{kind}", str(port)], variables)]
    try:
        _await_port(port)
        if apart:
            started.insert(0, Process(["-m", f"bench.fanout_{kind}", "0"], variables))
        clients = Process(
            ["-S", str(ROOT / "bench" / "fanout_clients.py"), kind, str(port), str(SOCKETS), token], variables
        )
        started.append(clients)
        if clients.line() != "ready\n":
            raise RuntimeError("the sockets were not accepted")
        yield started[0], clients
    finally:
        for process in reversed(started):
            process.end()


@dataclass(frozen=True)
class Burst:
    """Deliveries per second, from before the first event is sent to the last arrival; ``recorded``: the rate if only
    recording took time.
    """

    delivered: float
    recorded: float


def _burst(side: tuple[Process, Process], events: int, *, at_once: bool = False) -> Burst:
    """``events`` to every socket; ``at_once``: all in one transaction (ours only)."""
    sender, clients = side
    clients.send(str(events))
    sender.send(f"{events} {-1 if at_once else 0}")
    sent = sender.answer()
    began, deliveries = sent["began"], events * SOCKETS
    recorded = max(sent.get("commits", {}).values(), default=began)
    taken = clients.answer()["last"] - began
    return Burst(deliveries / taken, deliveries / max(recorded - began, 1e-6))


def _latency(side: tuple[Process, Process], seconds: int) -> tuple[float, float]:
    """The median and the 99th percentile, in ms, from the return of a commit to a frame's arrival at a socket."""
    sender, clients = side
    count = PER_SECOND * seconds
    clients.send(str(count))
    sender.send(f"{count} {PER_SECOND}")
    commits = sender.answer()["commits"]
    arrived = clients.answer()["arrived"]
    taken = [max(0.0, moment - commits[number]) * 1000 for number, moments in arrived.items() for moment in moments]
    cuts = statistics.quantiles(taken, n=100)
    return cuts[49], cuts[98]


def fanout(database_server: str, size: Size, redis: str | None = None) -> list[Figure]:
    """Bursts alternating with Flask-SocketIO, then the latency; on both databases, with ``redis`` across processes."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="taskproject-bench-") as folder:
        figures += _one_layout(f"sqlite:///{Path(folder) / 'bench.sqlite3'}", "one process, SQLite", size)
    layouts = [("one process, PostgreSQL", None)]
    if redis:
        layouts.append(("recorded in another process, PostgreSQL and Redis", redis))
    for words, bell in layouts:
        url = fresh_database(database_server, "fanout")
        try:
            figures += _one_layout(url, words, size, redis=bell)
        finally:
            drop_database(database_server, url)
    return figures


def _one_layout(url: str, words: str, size: Size, redis: str | None = None) -> list[Figure]:
    made = run_module("bench.dataset", "ready", "--tasks", "1", "--agents", "1", database=url)
    variables = environment(url) | ({"REDIS_URL": redis} if redis else {})
    ours, theirs, recorded, bulk = [], [], [], []
    with (
        _side("ours", variables, made["tokens"][0], apart=redis is not None) as mine,
        _side("flask", variables, "-") as yardstick,
    ):
        for side in (mine, yardstick):
            _burst(side, 10)
        for _ in range(size.rounds):
            one_by_one = _burst(mine, size.events)
            ours.append(one_by_one.delivered)
            recorded.append(one_by_one.recorded)
            theirs.append(_burst(yardstick, size.events).delivered)
            bulk.append(_burst(mine, size.events, at_once=True).delivered)
    with _side("ours", variables, made["tokens"][0], apart=redis is not None) as mine:
        _burst(mine, 10)
        middle, high = _latency(mine, size.seconds)
    return [
        of_rounds(
            bulk,
            theirs,
            work=f"{size.events} events of one transaction to {SOCKETS} sockets, {words}",
            yardstick_name=YARDSTICK,
            unit="deliveries/s",
            target=1.0,
            better="higher",
        ),
        of_rounds(
            ours,
            theirs,
            work=f"{size.events} events, one transaction each, to {SOCKETS} sockets, {words}",
            yardstick_name=YARDSTICK,
            unit="deliveries/s",
            target=1.0,
            better="higher",
            note=f"recording them alone allows {statistics.median(recorded):,.0f}",
        ),
        Figure(
            work=f"commit to frame, p99, {PER_SECOND} events/s × {SOCKETS} sockets, {words}",
            ours=high,
            yardstick=ASKED_P99,
            yardstick_name="asked",
            unit="ms",
            target=1.0,
            better="lower",
            note=f"median {middle:.1f} ms",
        ),
    ]
