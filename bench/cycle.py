"""The claim cycle over HTTP, one task or ten at a time, next to job queues that run in process without HTTP."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cluster import drop_database, fresh_database
from bench.processes import Clients, run_module, serving
from bench.table import Figure, of_rounds

CLIENTS = 8
WARM_UP_SECONDS = 1.5
SERVER_NAMES = {"embedded": "embedded server", "production": "WSGI worker"}


@dataclass(frozen=True)
class Size:
    """How long and how much: ``seconds`` per round, alternating ``rounds``, ``jobs`` of the yardstick per round."""

    seconds: float
    rounds: int
    jobs: int


QUICK = Size(seconds=2, rounds=1, jobs=500)
FULL = Size(seconds=6, rounds=5, jobs=2500)
#: More tasks per second than any server here finishes.
MOST_A_SECOND = 1500


def cycle(servers: list[str], database_server: str, size: Size) -> list[Figure]:
    """claim_next and complete, one by one, next to a Procrastinate worker of the same concurrency."""

    def yardstick(url: str) -> float:
        return float(
            run_module(
                "bench.procrastinate_worker", url, "--jobs", str(size.jobs), "--concurrency", str(CLIENTS), database=url
            )
        )

    return _compare("claim_next + complete", "Procrastinate 3.10", yardstick, servers, database_server, size, batch=1)


def batch(servers: list[str], database_server: str, size: Size) -> list[Figure]:
    """claim_next with a limit of 10 and complete_many, next to a PgQueuer worker with batches of 10."""

    def yardstick(url: str) -> float:
        jobs = str(size.jobs * 4)
        return float(run_module("bench.pgqueuer_worker", url, "--jobs", jobs, "--batch", "10", database=url))

    return _compare("the same in batches of 10", "PgQueuer 1.6", yardstick, servers, database_server, size, batch=10)


def _compare(
    work: str,
    yardstick_name: str,
    yardstick: Callable[[str], float],
    servers: list[str],
    database_server: str,
    size: Size,
    *,
    batch: int,
) -> list[Figure]:
    figures = []
    theirs_url = fresh_database(database_server, "yardstick")
    try:
        for kind in servers:
            ours_url = fresh_database(database_server, "ours")
            try:
                ours, theirs, cpu = _rounds(kind, ours_url, size, batch, lambda: yardstick(theirs_url))
            finally:
                drop_database(database_server, ours_url)
            figures.append(
                of_rounds(
                    ours,
                    theirs,
                    work=f"{work}, {SERVER_NAMES[kind]}, PostgreSQL",
                    yardstick_name=yardstick_name,
                    unit="tasks/s",
                    target=1.0,
                    better="higher",
                    note=f"{cpu * 1000:.2f} ms of server CPU per task",
                )
            )
    finally:
        drop_database(database_server, theirs_url)
    return figures


def on_sqlite(size: Size) -> list[Figure]:
    """The claim cycle of the embedded default, for information: there is no yardstick on SQLite."""
    figures = []
    for count, work in ((1, "claim_next + complete"), (10, "the same in batches of 10")):
        with tempfile.TemporaryDirectory(prefix="taskproject-bench-") as folder:
            url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
            ours, _, cpu = _rounds("embedded", url, size, count, None)
        figures.append(
            Figure(
                work=f"{work}, embedded server, SQLite",
                ours=median(ours),
                yardstick=None,
                yardstick_name="",
                unit="tasks/s",
                target=None,
                better="higher",
                note=f"{cpu * 1000:.2f} ms of server CPU per task",
            )
        )
    return figures


def _rounds(
    kind: str, url: str, size: Size, batch: int, yardstick: Callable[[], float] | None
) -> tuple[list[float], list[float], float]:
    """Finished tasks per second in each round, ours and theirs alternating, and the server's CPU seconds per task."""
    tasks = int(MOST_A_SECOND * (WARM_UP_SECONDS + size.seconds * size.rounds))
    made = run_module("bench.dataset", "ready", "--tasks", str(tasks), "--agents", str(CLIENTS), database=url)
    ours, theirs = [], []
    cpu = finished = 0.0
    with serving(kind, url) as server, contextlib.ExitStack() as stack:
        clients = stack.enter_context(Clients(server.port, made["tokens"], batch=batch))
        clients.work(WARM_UP_SECONDS)
        for _ in range(size.rounds):
            before = server.cpu_seconds()
            ours.append(clients.work(size.seconds))
            cpu += server.cpu_seconds() - before
            finished += ours[-1] * size.seconds
            if yardstick is not None:
                theirs.append(yardstick())
    return ours, theirs, cpu / finished
