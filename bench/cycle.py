"""The claim cycle over HTTP, one task or ten at a time, next to job queues and to the same facts written barely."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cluster import drop_database, fresh_database
from bench.doors.comparing import compare, compare_events
from bench.processes import Clients, Server, run_module, serving
from bench.table import Figure, of_rounds

CLIENTS = 8
WARM_UP_SECONDS = 1.5
SERVER_NAMES = {"embedded": "embedded server", "production": "WSGI worker"}
#: More tasks per second than any server here finishes, by how many it takes at once.
MOST_A_SECOND = {1: 1500, 10: 6000}
ASKED_OF_A_HEARTBEAT = 0.8


@dataclass(frozen=True)
class Size:
    """How long and how much: ``seconds`` per round, alternating ``rounds``, ``jobs`` of the yardstick per round."""

    seconds: float
    rounds: int
    jobs: int


QUICK = Size(seconds=2, rounds=1, jobs=500)
FULL = Size(seconds=6, rounds=5, jobs=2500)


@dataclass(frozen=True)
class Queue:
    """A job queue that runs in process: its name, a round of it on the database at a URL, and the ratio to reach."""

    name: str
    measure: Callable[[str], float]
    target: float


@dataclass(frozen=True)
class Beside:
    """A yardstick behind its own door: the application, its name and the ratio to reach, if any is asked for."""

    application: str
    name: str
    target: float | None


@dataclass
class Side:
    """A server and its clients, with what its rounds gave so far."""

    server: Server
    clients: Clients
    rates: list[float]
    cpu: float = 0.0
    finished: int = 0

    def round(self, seconds: float) -> None:
        before = self.server.cpu_seconds()
        self.rates.append(self.clients.work(seconds))
        self.cpu += self.server.cpu_seconds() - before
        self.finished += self.clients.finished

    @property
    def note(self) -> str:
        return f"{self.cpu / self.finished * 1000:.2f} ms of server CPU per task"


def cycle(servers: list[str], database_server: str, size: Size) -> list[Figure]:
    """claim_next and complete, one by one, next to a Procrastinate worker of the same concurrency, to Procrastinate
    behind a door like ours, and to the same facts by bare SQL.
    """

    def procrastinate(url: str) -> float:
        return float(
            run_module(
                "bench.procrastinate_worker", url, "--jobs", str(size.jobs), "--concurrency", str(CLIENTS), database=url
            )
        )

    doors = [
        Beside("behind_procrastinate", "Procrastinate behind a bare door, same events", 1.0),
        Beside("same_facts", "same facts, bare", 0.5),
    ]
    queue = Queue("Procrastinate 3.10, in process", procrastinate, 0.6)
    return _compare("claim_next + complete", queue, doors, servers, database_server, size, batch=1)


def batch(servers: list[str], database_server: str, size: Size) -> list[Figure]:
    """claim_next with a limit of 10 and complete_many, next to a PgQueuer worker with batches of 10 and the doors."""

    def pgqueuer(url: str) -> float:
        jobs = str(size.jobs * 4)
        return float(run_module("bench.pgqueuer_worker", url, "--jobs", jobs, "--batch", "10", database=url))

    doors = [
        Beside("behind_procrastinate", "Procrastinate behind a bare door, same events", None),
        Beside("same_facts", "same facts, bare", 0.5),
    ]
    queue = Queue("PgQueuer 1.6, in process", pgqueuer, 0.25)
    return _compare("the same in batches of 10", queue, doors, servers, database_server, size, batch=10)


def _compare(
    work: str,
    queue: Queue,
    doors: list[Beside],
    servers: list[str],
    database_server: str,
    size: Size,
    *,
    batch: int,
) -> list[Figure]:
    figures = []
    with contextlib.ExitStack() as stack:
        made_url = stack.enter_context(_database(database_server, "made"))
        queue_url = stack.enter_context(_database(database_server, "yardstick"))
        tokens = _make(made_url, size, batch)
        for kind in servers:
            mine, beside, jobs = _rounds(kind, database_server, made_url, tokens, doors, size, batch, queue, queue_url)
            words = {
                "work": f"{work}, {SERVER_NAMES[kind]}, PostgreSQL",
                "unit": "tasks/s",
                "better": "higher",
            }
            figures.append(
                of_rounds(mine.rates, jobs, yardstick_name=queue.name, target=queue.target, note=mine.note, **words)
            )
            figures += [
                of_rounds(
                    mine.rates,
                    side.rates,
                    yardstick_name=door.name,
                    target=door.target,
                    note=f"the yardstick: {side.note}",
                    **words,
                )
                for door, side in zip(doors, beside, strict=True)
            ]
    return figures


def _rounds(
    kind: str,
    database_server: str,
    made_url: str,
    tokens: list[str],
    doors: list[Beside],
    size: Size,
    batch: int,
    queue: Queue,
    queue_url: str,
) -> tuple[Side, list[Side], list[float]]:
    """Rounds of ours, of the doors and of the queue in turn, each on a copy of the same data.

    Raises ``OtherFacts`` if a yardstick does not write the same.
    """
    jobs = []
    with contextlib.ExitStack() as stack:
        urls = [
            stack.enter_context(_database(database_server, name, like=made_url))
            for name in ("ours", *(door.application for door in doors))
        ]
        for door, url in zip(doors, urls[1:], strict=True):
            if door.application == "behind_procrastinate":
                run_module(
                    "bench.procrastinate_worker", url, "--jobs", str(_most(size, batch)), "--only-defer", database=url
                )
        servers = [
            stack.enter_context(serving(name, url))
            for name, url in zip((kind, *(door.application for door in doors)), urls, strict=True)
        ]
        addresses = {
            door.application: (server.port, url) for door, server, url in zip(doors, servers[1:], urls[1:], strict=True)
        }
        ours = servers[0].port, urls[0]
        # First what needs the same tasks to be next on both.
        compare(ours, addresses["same_facts"], tokens[0], batch=batch)
        compare_events(ours, addresses["behind_procrastinate"], tokens[0])
        sides = [Side(server, stack.enter_context(Clients(server.port, tokens, batch=batch)), []) for server in servers]
        for side in sides:
            side.clients.work(WARM_UP_SECONDS)
        for _ in range(size.rounds):
            for side in sides:
                side.round(size.seconds)
            jobs.append(queue.measure(queue_url))
    return sides[0], sides[1:], jobs


def heartbeat(servers: list[str], database_server: str, size: Size) -> list[Figure]:
    """What renewing a lease costs the server, called by eight agents at once."""
    figures = []
    for kind in servers:
        with _database(database_server, "heartbeat") as url:
            tokens = run_module(
                "bench.dataset", "ready", "--tasks", "1000", "--agents", str(CLIENTS), database=url
            )["tokens"]  # fmt: skip
            with serving(kind, url) as server, Clients(server.port, tokens, batch=0) as clients:
                clients.work(WARM_UP_SECONDS)
                side = Side(server, clients, [])
                costs = []
                for _ in range(size.rounds):
                    cpu, finished = side.cpu, side.finished
                    side.round(size.seconds)
                    costs.append((side.cpu - cpu) / (side.finished - finished) * 1000)
        figures.append(
            Figure(
                work=f"heartbeat, {SERVER_NAMES[kind]}, PostgreSQL",
                ours=median(costs),
                yardstick=ASKED_OF_A_HEARTBEAT,
                yardstick_name="asked",
                unit="ms of server CPU",
                target=1.0,
                better="lower",
                note=f"{median(side.rates):,.0f} calls/s",
            )
        )
    return figures


def on_sqlite(size: Size) -> list[Figure]:
    """The claim cycle of the embedded default, for information: there is no yardstick on SQLite."""
    figures = []
    for count, work in ((1, "claim_next + complete"), (10, "the same in batches of 10")):
        with tempfile.TemporaryDirectory(prefix="taskproject-bench-") as folder:
            url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
            tokens = _make(url, size, 1)
            with serving("embedded", url) as server, Clients(server.port, tokens, batch=count) as clients:
                clients.work(WARM_UP_SECONDS)
                side = Side(server, clients, [])
                for _ in range(size.rounds):
                    side.round(size.seconds)
        figures.append(
            Figure(
                work=f"{work}, embedded server, SQLite",
                ours=median(side.rates),
                yardstick=None,
                yardstick_name="",
                unit="tasks/s",
                target=None,
                better="higher",
                note=side.note,
            )
        )
    return figures


def _most(size: Size, batch: int) -> int:
    """More tasks than any side finishes."""
    return int(MOST_A_SECOND[batch] * (WARM_UP_SECONDS + size.seconds * size.rounds))


def _make(url: str, size: Size, batch: int) -> list[str]:
    """Ready tasks in the database at ``url``. Returns the tokens of the agents that may claim them."""
    made = run_module(
        "bench.dataset", "ready", "--tasks", str(_most(size, batch)), "--agents", str(CLIENTS), database=url
    )
    tokens: list[str] = made["tokens"]
    return tokens


@contextlib.contextmanager
def _database(server: str, suffix: str, *, like: str | None = None) -> Iterator[str]:
    url = fresh_database(server, suffix, like=like)
    try:
        yield url
    finally:
        drop_database(server, url)
