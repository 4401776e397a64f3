"""Every page with many tasks next to the same page with few: the time until it is made, and its queries."""

import tempfile
from pathlib import Path
from typing import Any

from bench.cluster import drop_database, fresh_database
from bench.processes import run_module
from bench.table import Figure, of_rounds

FEW = 100
TARGET = 1.3


def pages(database_server: str, *, many: int, rounds: int, times: int) -> list[Figure]:
    """The pages of a lead of ten projects, on both databases, in alternating rounds."""
    urls = [fresh_database(database_server, f"pages_{tasks}") for tasks in (FEW, many)]
    try:
        figures = _measure(urls, "PostgreSQL", many, rounds, times)
    finally:
        for url in urls:
            drop_database(database_server, url)
    with tempfile.TemporaryDirectory(prefix="taskproject-bench-") as folder:
        urls = [f"sqlite:///{Path(folder) / f'pages-{tasks}.sqlite3'}" for tasks in (FEW, many)]
        return figures + _measure(urls, "SQLite", many, rounds, times)


def _measure(urls: list[str], name: str, many: int, rounds: int, times: int) -> list[Figure]:
    for url, tasks in zip(urls, (FEW, many), strict=True):
        run_module("bench.dataset", "mixed", "--tasks", str(tasks), database=url)
    measured: list[list[dict[str, Any]]] = [[], []]
    for _ in range(rounds):
        for url, taken in zip(urls, measured, strict=True):
            taken.append(run_module("bench.pages_probe", "--times", str(times), database=url))
    with_few, with_many = measured
    return [
        of_rounds(
            [each[page]["ms"] for each in with_many],
            [each[page]["ms"] for each in with_few],
            work=f"{page}, {many:,} tasks, {name}",
            yardstick_name=f"with {FEW}",
            unit="ms",
            target=TARGET,
            better="lower",
            note=_note(with_few[0][page], with_many[0][page]),
        )
        for page in with_few[0]
    ]


def _note(few: dict[str, Any], many: dict[str, Any]) -> str:
    """What explains a ratio: a page that shows more takes longer, and its queries should not be more."""
    size = f"{few['bytes'] / 1000:,.0f} → {many['bytes'] / 1000:,.0f} kB"
    return size if many["queries"] <= few["queries"] else f"{size}, {few['queries']} → {many['queries']} QUERIES"
