"""ClickHouse behind ``reports.engines``: it has the database say what the facts are, and does all that follows.

The facts are the rows of the queryset's own SQL, in the language of the database it is for, which ClickHouse sends
there as it is. So conditions, measures and dimensions stay written once, in the vocabulary. ClickHouse groups, counts,
adds up and finds the percentiles.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

from bench.processes import ROOT
from reports import engines
from reports.engines.source import Counts, Source, TooManyGroups
from reports.measures import Counted

Engine = Callable[[Any, Source], Counts]
#: What `Source.functions` names. A sum of 64 bits would not say that it is too large.
FUNCTIONS = {
    "COUNT": "count({})",
    "SUM": "sum(toInt128({}))",
    "MIN": "min({})",
    "MAX": "max({})",
    "DISTINCT": "uniqExact({})",
}
#: Whole numbers of 64 bits as numbers, which Python reads exactly, and doubles with all their digits.
SETTINGS = "SETTINGS output_format_json_quote_64bit_integers = 0, max_threads = 2"


class Refused(Exception):
    """ClickHouse did not take a statement."""


class ClickHouse:
    """ClickHouse in a process of its own, used as a context."""

    def __enter__(self) -> "ClickHouse":
        command = [sys.executable, "-m", "bench.clickhouse.worker"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        return self

    def __exit__(self, *_: object) -> None:
        # Its input ends, and so does the process.
        self._process.communicate()

    def rows(self, sql: str) -> list[list[Any]]:
        """What ``sql`` selects. Raises ``Refused``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(sql) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(f"{answer['error']}\n\n{sql}")
        return [json.loads(self._process.stdout.readline()) for _ in range(answer["rows"])]

    def count(self, cursor: Any, source: Source) -> Counts:
        """As the engines of ``reports.engines`` do."""
        return self.count_from(source, facts_of(cursor, source))

    def count_from(self, source: Source, facts: str) -> Counts:
        """The same from a table or table function ``facts`` with the columns of ``source``."""
        selected = ["count()"]
        for column, alias in source.alias.items():
            selected += [FUNCTIONS[name].format(alias) for name in source.functions(column)]
            if fractions := source.fractions.get(column):
                selected.append(f"quantilesExactInclusive({', '.join(map(str, fractions))})({alias})")
        groups = ", ".join(source.groups)
        is_total, sets = (f"GROUPING({groups})", f"({groups}), ()") if groups else ("1", "()")
        named = f"{groups}, " if groups else ""
        rows = self.rows(
            f"SELECT {is_total}, {named}{', '.join(selected)} FROM {facts} GROUP BY GROUPING SETS ({sets}) {SETTINGS}"
        )
        read = _literal if connection.vendor == "sqlite" else _same
        width = len(source.groups)
        groups_of: dict[tuple, Counted] = {}
        total = Counted()
        for is_whole, *row in rows:
            counted = _counted(source, row[width:])
            if is_whole:
                total = counted
            else:
                groups_of[tuple(map(read, row[:width]))] = counted
        if source.most is not None and len(groups_of) > source.most:
            raise TooManyGroups(source.most)
        return Counts(groups_of, total)


@contextmanager
def behind(engine: Engine) -> Iterator[None]:
    """Within it all reports are computed by ``engine``."""
    own = engines.ENGINES[connection.vendor]
    engines.ENGINES[connection.vendor] = engine
    try:
        yield
    finally:
        engines.ENGINES[connection.vendor] = own


def facts_of(cursor: Any, source: Source) -> str:
    """The table function that reads the facts of ``source`` from the database of ``cursor``."""
    columns = [*source.groups, *source.alias.values()] or ["c0"]
    if connection.vendor == "postgresql":
        # Django adds whole numbers up as `numeric`.
        cast = [*source.groups, *(f"{alias}::bigint AS {alias}" for alias in source.alias.values())] or ["1 AS c0"]
        sql = f"WITH {source.sql} SELECT {', '.join(cast)} FROM facts"
        return _function("postgresql", *_server(), _query(connection.ops.compose_sql(sql, source.params)), *_login())
    # SQLite's columns have no types: groups travel as literals, and numbers as their digits.
    quoted = [f"QUOTE({group}) AS {group}" for group in source.groups]
    sql = f"WITH {source.sql} SELECT {', '.join([*quoted, *source.alias.values()] or ['1 AS c0'])} FROM facts"
    params = connection.ops._quote_params_for_last_executed_query(source.params) if source.params else ()
    function = _function("sqlite", _text(connection.settings_dict["NAME"]), _query(sql % tuple(params)))
    typed = [*source.groups, *(f"CAST({alias} AS Nullable(Int64)) AS {alias}" for alias in source.alias.values())]
    return f"(SELECT {', '.join(typed or columns)} FROM {function})"


def _server() -> Sequence[str]:
    settings = connection.settings_dict
    return _text(f"{settings['HOST']}:{settings['PORT'] or 5432}"), _text(settings["NAME"])


def _login() -> Sequence[str]:
    settings = connection.settings_dict
    return _text(settings["USER"]), _text(settings["PASSWORD"])


def _function(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(arguments)})"


def _query(sql: str) -> str:
    return f"query({_text(sql)})"


def _text(value: Any) -> str:
    """``value`` as a literal of ClickHouse."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _literal(value: Any) -> int | str | None:
    """What a literal of SQLite stands for."""
    if not isinstance(value, str):
        return value
    if value.startswith("'"):
        return value[1:-1].replace("''", "'")
    return None if value == "NULL" else int(value)


def _same(value: Any) -> Any:
    return value


def _counted(source: Source, numbers: Sequence[Any]) -> Counted:
    facts, *rest = numbers
    values = iter(rest)
    tallies = {}
    for column in source.alias:
        numbers = [next(values) for _ in source.functions(column)]
        fractions = source.fractions.get(column)
        percentiles = dict(zip(fractions, next(values), strict=True)) if fractions else {}
        tallies[column] = source.tally(column, numbers, percentiles)
    return Counted(facts, tallies)
