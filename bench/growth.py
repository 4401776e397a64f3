"""Every list, page, report, verb and the engine's tick with a million tasks beside a thousand, on both databases.

Each address is measured by turns: a process for each size stays at its database and answers one question after the
other, and the least of its answers counts. Where a thousand tasks do not fill an answer as a million do, the API is
asked for as many rows as there are, and a page is set beside that of 100,000.
"""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.cluster import drop_database
from bench.growth_paths import NAMES
from bench.processes import ROOT, environment, run_module
from bench.table import Figure

SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 4_000)
TARGET = 1.3
#: An answer of at least this share of the bytes is as full.
AS_FULL = 0.8
#: Below this, what is measured is mostly the time between two readings of the clock.
LEAST_MS = 0.2


class Asked:
    """A process at one database that measures what it is asked for."""

    def __init__(self, url: str, *, statistics: bool) -> None:
        arguments = ["--statistics"] if statistics else []
        command = [sys.executable, "-m", "bench.growth_probe", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment(url), stdin=pipe, stdout=pipe, text=True)
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a probe stopped early; its error is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def measure(self, name: str, times: int, limit: int | None = None) -> dict[str, Any]:
        assert self.process.stdin is not None
        print(json.dumps({"name": name, "times": times, "limit": limit}), file=self.process.stdin, flush=True)
        return self._read()

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def growth(
    server: str,
    *,
    sizes: tuple[int, ...],
    rounds: int,
    only: list[str],
    keep: Path | None,
    databases: list[str],
    statistics: list[bool],
) -> list[Figure]:
    """The figures of all names that contain one of ``only``; of all without any.

    ``keep``: where SQLite files stay, and are used again; then the databases ``growth_…`` of the server stay, too.
    """
    names = [name for name in NAMES if not only or any(part in name for part in only)]
    figures = []
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taskproject-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        for kind in databases:
            urls = []
            for size in sizes:
                url = _sqlite(folder, size) if kind == "SQLite" else _postgres(server, size)
                if kind != "SQLite" and not keep:
                    stack.callback(drop_database, server, url)
                urls.append(url)
            for has in statistics:
                figures += _measure(urls, sizes, names, kind, has, rounds)
    return figures


def _sqlite(folder: Path, size: int) -> str:
    path = folder / f"{size}.sqlite3"
    url = f"sqlite:///{path}"
    if not path.exists():
        run_module("bench.dataset", "mixed", "--tasks", str(size), database=url)
    return url


def _postgres(server: str, size: int) -> str:
    name = f"growth_{size}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not exists:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    if not exists:
        run_module("bench.dataset", "mixed", "--tasks", str(size), database=url)
    return url


def _measure(
    urls: list[str], sizes: tuple[int, ...], names: list[str], kind: str, statistics: bool, rounds: int
) -> list[Figure]:
    with ExitStack() as stack:
        asked = [stack.enter_context(Asked(url, statistics=statistics)) for url in urls]
        figures = []
        for name in names:
            try:
                figure = _figure(asked, sizes, name, kind, statistics, rounds)
            except RuntimeError as error:
                figure = Figure(f"{name}, {kind}", 0, None, "", "ms", TARGET, "lower", note=f"NOT MEASURED: {error}")
            print(f"  {figure.work}: {figure.ours:.2f} ms, {figure.ratio or 0:.2f} ×", file=sys.stderr, flush=True)
            figures.append(figure)
        return figures


def _figure(asked: list[Asked], sizes: tuple[int, ...], name: str, kind: str, statistics: bool, rounds: int) -> Figure:
    first = [each.measure(name, 1) for each in asked]
    limit, few = None, 0
    least = first[0]["rows"]
    if least is not None and least < (first[-1]["rows"] or 0) and name.startswith("API") and least:
        limit = least
    elif name != "engine tick":
        full = AS_FULL * first[-1]["bytes"]
        few = next(place for place, each in enumerate(first) if each["bytes"] >= full)
        few = min(few, len(sizes) - 2)
    with_few: list[float] = []
    with_many: list[float] = []
    times = 4 if first[-1]["ms"][0] < 300 else 1
    for _ in range(rounds):
        with_many += asked[-1].measure(name, times, limit)["ms"]
        with_few += asked[few].measure(name, times, limit)["ms"]
    # The least: what other load on the machine adds, it adds at random.
    ours, theirs = min(with_many), min(with_few)
    notes = [f"{first[few]['bytes'] / 1000:,.0f} → {first[-1]['bytes'] / 1000:,.0f} kB"]
    if limit:
        notes.append(f"{limit} rows each")
    if first[-1]["queries"] > first[few]["queries"]:
        notes.append(f"{first[few]['queries']} → {first[-1]['queries']} QUERIES")
    return Figure(
        work=f"{name}, {sizes[-1]:,} tasks, {kind}{'' if statistics else ' without statistics'}",
        ours=ours,
        yardstick=theirs,
        yardstick_name=f"with {sizes[few]:,}",
        unit="ms",
        target=TARGET,
        better="lower",
        ratio=ours / max(theirs, LEAST_MS),
        note=", ".join(notes),
    )
