"""Reads: one task and a list of 50 next to a bare view of the same bytes; and the same work with many and few tasks."""

import http.client
import time
from collections.abc import Callable
from statistics import median

from bench.cluster import drop_database, fresh_database
from bench.processes import run_module, serving
from bench.table import Figure, of_rounds

FEW = 1000
WARM_UP = 20


def over_http(servers: list[str], database_server: str, *, rounds: int, requests: int) -> list[Figure]:
    """GET one task and a list of 50 with a token, each next to a bare Django view that returns the same bytes."""
    figures = []
    for kind in servers:
        url = fresh_database(database_server, "reads")
        try:
            made = run_module("bench.dataset", "mixed", "--tasks", str(FEW), database=url)
            with serving(kind, url, settings="bench.bare_settings") as server:
                for work, path, target in (
                    ("GET one task", f"/api/v1/tasks/{made['project']}-7", 3.0),
                    ("GET a list of 50", "/api/v1/tasks?limit=50", 6.0),
                    ("GET 50 by their change", "/api/v1/tasks?limit=50&ordering=-updated_at", 6.0),
                ):
                    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                    headers = {"Authorization": f"Bearer {made['tokens'][0]}"}
                    body = _ask(connection, "GET", path, headers)
                    _ask(connection, "POST", "/bare/kept", {"Content-Type": "application/json"}, body)
                    ours, theirs = [], []
                    for _ in range(rounds):
                        ours.append(_milliseconds(lambda: _ask(connection, "GET", path, headers), requests))  # noqa: B023
                        theirs.append(_milliseconds(lambda: _ask(connection, "GET", "/bare/kept", {}), requests))  # noqa: B023
                    connection.close()
                    figures.append(
                        of_rounds(
                            ours,
                            theirs,
                            work=f"{work} ({len(body):,} bytes), {kind}",
                            yardstick_name="a bare view",
                            unit="ms",
                            target=target,
                            better="lower",
                        )
                    )
        finally:
            drop_database(database_server, url)
    return figures


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> bytes:
    connection.request(method, path, body=body or None, headers=headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"{method} {path} answered {response.status}: {answer[:200]!r}")
    return answer


def _milliseconds(work: Callable[[], object], times: int) -> float:
    """The median of ``times`` calls, after a few that are not counted."""
    taken = []
    for turn in range(WARM_UP + times):
        began = time.perf_counter()
        work()
        if turn >= WARM_UP:
            taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


def scale(database_server: str, *, many: int, requests: int) -> list[Figure]:
    """claim_next, task list, board and admin list with ``many`` tasks, next to the same with a thousand."""
    medians = []
    for tasks in (many, FEW):
        url = fresh_database(database_server, "scale")
        try:
            made = run_module("bench.dataset", "mixed", "--tasks", str(tasks), database=url)
            medians.append(
                run_module("bench.scale_probe", "--token", made["tokens"][0], "--times", str(requests), database=url)
            )
        finally:
            drop_database(database_server, url)
    with_many, with_few = medians
    return [
        Figure(
            work=f"{work}, {many:,} tasks, PostgreSQL",
            ours=with_many[work],
            yardstick=with_few[work],
            yardstick_name=f"with {FEW:,}",
            unit="ms",
            target=1.3,
            better="lower",
        )
        for work in with_few
    ]
