"""The proof on both databases, and then the times."""

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from bench import cluster
from bench.processes import ROOT, environment, run_module
from bench.table import Figure, as_text, of_rounds, write_json

TASKS, DEFINITIONS, ROUNDS = 100_000, 300, 5
QUICK_TASKS, QUICK_DEFINITIONS, QUICK_ROUNDS = 2_000, 50, 1


def main(options: Namespace) -> int:
    """Compare, then measure. 0 if each answer was the same from all engines, 1 if not."""
    tasks = options.tasks or (QUICK_TASKS if options.quick else TASKS)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    definitions = QUICK_DEFINITIONS if options.quick else DEFINITIONS
    figures: list[Figure] = []
    with cluster.postgres(options.postgres) as server, tempfile.TemporaryDirectory(prefix="taskproject-bench-") as name:
        folder = Path(name)
        proofs = {}
        for database in ("SQLite", "PostgreSQL"):
            print(f"Comparing on {database} …", flush=True)
            proofs[database] = _with(database, server, folder, lambda url: _proof(url, definitions))
            if proofs[database] is None:
                return 1
            for history, proof in proofs[database].items():
                print(_sentence(f"{database}, {history}", proof), flush=True)
        differing = [
            history
            for history, proof in proofs["SQLite"].items()
            if proof["digest"] != proofs["PostgreSQL"][history]["digest"]
        ]
        if differing:
            print(f"SQLite and PostgreSQL gave different answers: {', '.join(differing)}.", file=sys.stderr)
            return 1
        print("SQLite and PostgreSQL gave the same answers.", flush=True)
        for database in ("SQLite", "PostgreSQL"):
            print(f"Measuring on {database} …", flush=True)
            measured = _with(database, server, folder, lambda url: _measured(url, tasks, rounds))
            for fact, copied in measured["copying"].items():
                print(f"{database}: {copied['rows']:,} {fact} copied in {copied['seconds']:.1f} s", flush=True)
            figures += _figures(database, measured["answers"])
    print(as_text(figures))
    if options.json:
        write_json(options.json, figures, {"tasks": tasks, "quick": options.quick})
    return 0


def _with(database: str, server: str, folder: Path, work: Any) -> Any:
    """What ``work`` gives for the URL of an empty database."""
    if database == "SQLite":
        place = folder / "clickhouse.sqlite3"
        place.unlink(missing_ok=True)
        return work(f"sqlite:///{place}")
    url = cluster.fresh_database(server, "clickhouse")
    try:
        return work(url)
    finally:
        cluster.drop_database(server, url)


def _proof(url: str, definitions: int) -> dict[str, Any] | None:
    """What the test counted, by history; None if it failed."""
    with tempfile.TemporaryDirectory(prefix="taskproject-bench-") as folder:
        extra = {"CLICKHOUSE_FIGURES": folder, "CLICKHOUSE_DEFINITIONS": str(definitions)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=0", "bench/clickhouse"]
        done = subprocess.run(command, cwd=ROOT, env=environment(url) | extra, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(done.stdout[-20_000:], file=sys.stderr)
            return None
        return {place.stem: json.loads(place.read_text(encoding="utf-8")) for place in sorted(Path(folder).iterdir())}


def _sentence(history: str, proof: dict[str, Any]) -> str:
    return (
        f"{history}: {proof['answers']:,} answers ({proof['refused']:,} refusals) with {proof['figures']:,} figures "
        f"from {proof['statements']:,} statements are the same by ClickHouse {proof['version']}; before they are "
        f"rounded percentiles differ by {proof['gap']:.1g} at most. {proof['episodes']:,} episodes, "
        f"{proof['intervals']:,} intervals, {proof['events']:,} events; digest {proof['digest'][:12]}."
    )


def _measured(url: str, tasks: int, rounds: int) -> dict[str, Any]:
    run_module("bench.dataset", "mixed", "--tasks", str(tasks), database=url)
    measured: dict[str, Any] = run_module("bench.clickhouse.probe", "--times", str(rounds), database=url)
    return measured


def _figures(database: str, answers: dict[str, Any]) -> list[Figure]:
    ways = {"reading": "ClickHouse reading the facts there", "copied": "ClickHouse from its copy"}
    return [
        of_rounds(
            [1000 * seconds for seconds in taken[way]],
            [1000 * seconds for seconds in taken["own"]],
            work=f"{words}, {taken['groups']:,} groups; {name}",
            yardstick_name=database,
            unit="ms",
            target=None,
            better="lower",
        )
        for words, taken in answers.items()
        for way, name in ways.items()
    ]
