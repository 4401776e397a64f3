"""What agents waiting in ``claim_next`` cost a claim, and cost themselves: one server process, PostgreSQL."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from bench.cluster import drop_database, fresh_database
from bench.cycle import MOST_A_SECOND, WARM_UP_SECONDS, Size
from bench.processes import ROOT, Clients, Server, run_module, serving
from bench.table import Figure, of_rounds

CLIENTS = 8
IDLE_SECONDS = 10


def waiting(database_server: str, size: Size, *, agents: int) -> list[Figure]:
    """The claim cycle of eight clients, without and with ``agents`` that wait for what they cannot do."""
    url = fresh_database(database_server, "waiting")
    tasks = int(MOST_A_SECOND[1] * (WARM_UP_SECONDS + size.seconds * size.rounds * 2)) // 3
    try:
        made = run_module(
            "bench.dataset", "waiting", "--tasks", str(tasks), "--agents", str(CLIENTS), "--waiting", str(agents),
            database=url,
        )  # fmt: skip
        with serving("embedded", url) as server, contextlib.ExitStack() as stack:
            clients = stack.enter_context(Clients(server.port, made["tokens"]))
            return _measure(server, clients, made["waiting"], size)
    finally:
        drop_database(database_server, url)


def _measure(server: Server, clients: Clients, tokens: list[str], size: Size) -> list[Figure]:
    alone: list[float] = []
    beside: list[float] = []
    memory: list[float] = []
    idle: list[float] = []

    def cost() -> float:
        """The server's CPU seconds per claim with its completion."""
        before = server.cpu_seconds()
        clients.work(size.seconds)
        return (server.cpu_seconds() - before) / clients.finished

    clients.work(WARM_UP_SECONDS)
    for _ in range(size.rounds):
        alone.append(cost())
        before = server.memory()
        with _crowd(server.port, tokens):
            memory.append((server.memory() - before) / len(tokens))
            used = server.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            idle.append((server.cpu_seconds() - used) / IDLE_SECONDS)
            beside.append(cost())
    return [
        of_rounds(
            [seconds * 1000 for seconds in beside],
            [seconds * 1000 for seconds in alone],
            work=f"claim_next + complete beside {len(tokens)} agents that wait, PostgreSQL",
            yardstick_name="with none",
            unit="ms of server CPU",
            target=2.0,
            better="lower",
            note="waiting agents ask again every 30 s, which is included",
        ),
        Figure(
            work="memory per waiting agent",
            ours=median(memory[:1]) / 1024,
            yardstick=None,
            yardstick_name="",
            unit="KiB",
            target=None,
            better="lower",
        ),
        Figure(
            work=f"{len(tokens)} agents that wait and ask again every 30 s",
            ours=median(idle) * 100,
            yardstick=None,
            yardstick_name="",
            unit="% of a core",
            target=None,
            better="lower",
        ),
    ]


@contextlib.contextmanager
def _crowd(port: int, tokens: list[str]) -> Iterator[None]:
    """Waiting agents; one that is cut off or gets a task fails the run."""
    process = subprocess.Popen(
        [sys.executable, "-S", str(ROOT / "bench" / "waiting_agents.py"), "127.0.0.1", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(tokens) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the waiting agents stopped early; their error is above")
        yield
    finally:
        process.terminate()
        last, _ = process.communicate(timeout=30)
    if set(json.loads(last)["answered"]) - {"no_ready_task"}:
        raise RuntimeError(f"waiting agents were answered: {last}")
