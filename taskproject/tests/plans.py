"""How the database would run a statement: which growing tables it would read from end to end."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: Tables with a row, or many, for each task. Not questions: in the data nearly all are open, so that their index is no
#: shorter than the table.
GROWING = frozenset(
    {
        "messaging_notification", "tasks_assignment", "tasks_dependency", "tasks_episode",
        "tasks_event", "tasks_message", "tasks_requiredskill", "tasks_run",
        "tasks_statusinterval", "tasks_task", "tasks_task_labels", "tasks_tasktext",
    }
)  # fmt: skip
_NAMED = re.compile(
    r'\b(?:FROM|JOIN|UPDATE)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(?!(?:ON|WHERE|INNER|LEFT|ORDER|SET|JOIN|GROUP|LIMIT)\b)(\w+)"?)?'
)
_SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
#: Made for one statement, of all rows.
_AUTOMATIC = re.compile(r"SEARCH (\w+) USING AUTOMATIC")
_OF_INDEX = ("Index Scan", "Index Only Scan", "Bitmap Index Scan")
Statement = tuple[str, Any]


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """Collects what reads or changes rows, with its values."""
    run: list[Statement] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if re.match(r"[\s(]*(SELECT|WITH|UPDATE|DELETE)\b", sql):
            run.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        yield run


def scanned(statement: Statement) -> frozenset[str]:
    """The growing tables that the statement reads from end to end, or a whole index of."""
    find = _on_sqlite if connection.vendor == "sqlite" else _on_postgresql
    return GROWING.intersection(find(*statement))


def _on_sqlite(sql: str, params: Any) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        steps = [row[-1] for row in cursor.fetchall()]
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%% WHERE %%'", ())
        partial = {name for (name,) in cursor.fetchall()}
    named: dict[str, set[str]] = {}
    for table, alias in _NAMED.findall(sql):
        named.setdefault(alias or table, set()).add(table)
    sorts = any(step.startswith("USE TEMP B-TREE FOR ORDER BY") for step in steps)
    for step in steps:
        name = None
        if scan := _SCAN.match(step):
            # A part of the table is as long as what is at work; an order, also that of the ids, ends when there are
            # enough.
            is_walk = "LIMIT" in sql and not sorts and (scan[2] is not None or "WHERE" not in sql)
            name = None if is_walk or scan[2] in partial else scan[1]
        elif made := _AUTOMATIC.match(step):
            name = made[1]
        # Of a name that stands for several tables the plan does not say which, so it counts only if all of them grow.
        if name is not None and GROWING.issuperset(named.get(name, {name})):
            yield from named.get(name, {name})


def _on_postgresql(sql: str, params: Any) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")
        partial = {name for (name,) in cursor.fetchall()}
    plan = json.loads(plan) if isinstance(plan, str) else plan
    yield from _whole(plan[0]["Plan"], partial, is_enough=False)


def _whole(node: dict[str, Any], partial: set[str], *, is_enough: bool) -> Iterator[str]:
    """``is_enough``: rows are taken from ``node`` only until there are enough."""
    kind = node["Node Type"]
    scan = node["Plans"][0] if kind == "Bitmap Heap Scan" else node
    is_index = scan["Node Type"] in _OF_INDEX and "Index Cond" not in scan and scan["Index Name"] not in partial
    if not is_enough and (kind == "Seq Scan" or (is_index and "Relation Name" in node)):
        yield node["Relation Name"]
    is_enough = (is_enough or kind == "Limit") and kind not in ("Sort", "Aggregate", "Hash", "WindowAgg")
    for inner in node.get("Plans", ()):
        yield from _whole(inner, partial, is_enough=is_enough)


def forget_statistics() -> None:
    """Leave SQLite's planner what it has in a database that nobody has ever analysed: it takes each table for large."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%%'", ())
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {name}")
        # Reads them.
        cursor.execute("ANALYZE sqlite_schema")


def take_statistics(times: int) -> None:
    """Analyse the data, and multiply what the planner knows: of few rows it would read all, index or not."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            # Joins by hash or by merging read the pages of a small table, which are as few as ever.
            for way in ("hashjoin", "mergejoin"):
                cursor.execute(f"SET LOCAL enable_{way} = off")
            cursor.execute(
                "UPDATE pg_class SET reltuples = reltuples * %s WHERE relname = ANY(%s)", [times, list(GROWING)]
            )
            return
        cursor.execute("SELECT rowid, stat FROM sqlite_stat1")
        for pk, stat in cursor.fetchall():
            # Rows in all, then rows of each value of the first columns; what is unique stays so.
            numbers = [str(int(each) * times) if each.isdecimal() and each != "1" else each for each in stat.split()]
            cursor.execute("UPDATE sqlite_stat1 SET stat = %s WHERE rowid = %s", [" ".join(numbers), pk])
        cursor.execute("SELECT name FROM sqlite_master WHERE name = 'sqlite_stat4'")
        if cursor.fetchone():
            cursor.execute("DELETE FROM sqlite_stat4")
        cursor.execute("ANALYZE sqlite_schema")
