"""The predefined reports over many tasks, on both databases, beside SQL by hand for the same numbers."""

import tempfile
from pathlib import Path
from typing import Any

from bench.cluster import drop_database, fresh_database
from bench.processes import run_module
from bench.table import Figure, of_rounds

TARGET = 1.5
#: With fewer tasks than this, what is measured is the time between the statements: there is no target.
MANY = 100_000


def reports(database_server: str, *, tasks: int, rounds: int) -> list[Figure]:
    """Each report over a year of ``tasks``, in alternating rounds with its SQL. It fails if their numbers differ.

    Reports without SQL by hand, and the overview page, which runs them all, have no yardstick.
    """
    url = fresh_database(database_server, "reports")
    try:
        figures = _measure(url, "PostgreSQL", tasks, rounds)
    finally:
        drop_database(database_server, url)
    with tempfile.TemporaryDirectory(prefix="taskproject-bench-") as folder:
        return figures + _measure(f"sqlite:///{Path(folder) / 'reports.sqlite3'}", "SQLite", tasks, rounds)


def _measure(url: str, name: str, tasks: int, rounds: int) -> list[Figure]:
    run_module("bench.dataset", "mixed", "--tasks", str(tasks), database=url)
    measured: dict[str, Any] = run_module("bench.reports_probe", "--times", str(rounds), database=url)
    figures = []
    for slug, taken in measured.items():
        ours, by_hand = ([1000 * seconds for seconds in taken[whose]] for whose in ("ours", "by_hand"))
        work = f"{slug}, {tasks:,} tasks, {name}"
        if by_hand:
            figures.append(
                of_rounds(
                    ours,
                    by_hand,
                    work=work,
                    yardstick_name="SQL by hand",
                    unit="ms",
                    target=TARGET if tasks >= MANY else None,
                    better="lower",
                )
            )
        else:
            figures.append(Figure(work, sorted(ours)[len(ours) // 2], None, "", "ms", None, "lower"))
    return figures
