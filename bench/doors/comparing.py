"""Whether the yardsticks write what we write: the same calls on two equal databases, then their rows side by side."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bench.agent import Connection, claim_and_complete

#: What the server writes beside each request or now and then, for all of a yardstick's requests or none.
BESIDE = {"tasks_serverstate", "taskproject_keptcount", "tasks_enginestate", "messaging_followercursor"}
ONE_BY_ONE = 3


class OtherFacts(Exception):
    """A yardstick does not write the rows that we write; the message names the first difference."""


def compare(ours: tuple[int, str], theirs: tuple[int, str], token: str, *, batch: int) -> None:
    """Claim and complete on both servers, each given as port and database, which hold the same tasks.

    Raises ``OtherFacts`` unless every table has got as many rows, and the rows of the tasks say the same; ids of rows
    and runs and the present time differ.
    """
    before = [_counts(url) for _, url in (ours, theirs)]
    done = [_work(port, token, batch) for port, _ in (ours, theirs)]
    if done[0] != done[1]:
        raise OtherFacts(f"other tasks were claimed: {done[0]} and {done[1]}")
    grown = [{table: count - earlier[table] for table, count in _counts(url).items()} for (_, url), earlier in
             zip((ours, theirs), before, strict=True)]  # fmt: skip
    if grown[0] != grown[1]:
        raise OtherFacts(f"rows were added: {_different(grown[0], grown[1])}")
    mine, other = (rows_of(url, done[0]) for _, url in (ours, theirs))
    for key, rows in mine.items():
        for row, beside in zip(rows, other[key], strict=True):
            if row != beside:
                raise OtherFacts(f"{key}: {_different(row, beside)}")


def compare_events(ours: tuple[int, str], theirs: tuple[int, str], token: str) -> None:
    """The same for a door whose tasks are not ours: only the events, and which of their values are there.

    Raises ``OtherFacts``.
    """
    shapes = []
    for port, url in (ours, theirs):
        _work(port, token, 1)
        with psycopg.connect(url, row_factory=dict_row) as connection:
            text = "SELECT * FROM tasks_event ORDER BY id DESC LIMIT 2"
            rows = connection.execute(text).fetchall()
        shapes.append([_shape(row) for row in rows])
    if shapes[0] != shapes[1]:
        raise OtherFacts(f"events: {shapes[0]} and {shapes[1]}")


def _work(port: int, token: str, batch: int) -> list[str]:
    """The refs of the tasks that were claimed and completed: a few alone, then ``batch`` at once if it is not 1."""
    connection = Connection("127.0.0.1", port, token)
    refs = [ref for _ in range(ONE_BY_ONE) for ref in claim_and_complete(connection)]
    if batch > 1:
        refs += claim_and_complete(connection, batch)
    return sorted(refs)


def _counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        ).fetchall() if name not in BESIDE]  # fmt: skip
        counts = {}
        for table in tables:
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            assert row is not None
            counts[table] = row[0]
        return counts


def rows_of(url: str, refs: list[str]) -> dict[str, list[dict[str, Any]]]:
    """What is kept of these tasks, by ref and table, without what differs from run to run."""
    kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        clock = connection.execute("SELECT now() AS now").fetchone()
        assert clock is not None
        for ref in refs:
            number = int(ref.rpartition("-")[2])
            [task] = connection.execute("SELECT * FROM tasks_task WHERE number = %s", [number]).fetchall()
            kept[f"{ref} task"].append(_plain(task, clock["now"]))
            for table in ("run", "assignment", "statusinterval", "episode", "event"):
                text = sql.SQL("SELECT * FROM {} WHERE task_id = %s ORDER BY id").format(
                    sql.Identifier(f"tasks_{table}")
                )
                for row in connection.execute(text, [task["id"]]).fetchall():
                    kept[f"{ref} {table}"].append(_plain(row, clock["now"]))
    return kept


def _plain(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A row without its id; times of this comparison, ids of runs and durations only by their kind."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if name == "id":
            continue
        if isinstance(value, datetime) and abs((value - now).total_seconds()) < 1800:
            value = "about now" if value <= now else "soon"
        elif isinstance(value, UUID):
            value = "a run"
        elif isinstance(value, float):
            value = value > 0
        plain[name] = value
    return plain


def _shape(row: dict[str, Any]) -> dict[str, Any]:
    """Which values an event has, and all that it says but of which task."""
    shape: dict[str, Any] = {name: value is not None for name, value in row.items()}
    return shape | {"kind": row["kind"], "says": sorted(row["data"]), "verb": row["data"].get("verb")}


def _different(mine: dict[str, Any], other: dict[str, Any]) -> str:
    names = sorted({*mine, *other})
    return "; ".join(
        f"{name}: {mine.get(name)!r} and {other.get(name)!r}" for name in names if mine.get(name) != other.get(name)
    )
