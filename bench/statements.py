"""SQL that writes rows by the million, as both databases spell it."""

from typing import Any

from django.db import connection

_SERIES = {
    "postgresql": "SELECT i FROM generate_series(1, {n}) AS series (i)",
    "sqlite": "WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {n}) "
    "SELECT i FROM series",
}
_AGO = {
    "postgresql": "(now() - make_interval(secs => {seconds}))",
    "sqlite": "datetime('now', (-1 * ({seconds})) || ' seconds')",
}
_LATER = {
    "postgresql": "({moment} + make_interval(secs => {seconds}))",
    "sqlite": "datetime({moment}, ({seconds}) || ' seconds')",
}
_BETWEEN = {
    "postgresql": "EXTRACT(EPOCH FROM {end} - {start})::float8",
    "sqlite": "CAST(unixepoch({end}) - unixepoch({start}) AS REAL)",
}
_UUID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
_MOMENT_AS_JSON = {"postgresql": "to_json({moment})::text", "sqlite": "('\"' || {moment} || '+00:00\"')"}


def series(count: int) -> str:
    """A query for the numbers ``i`` from 1 to ``count``."""
    return _SERIES[connection.vendor].format(n=count)


def ago(seconds: str) -> str:
    """A time ``seconds`` (an integer expression) ago; negative values lie in the future."""
    return _AGO[connection.vendor].format(seconds=seconds)


def later(moment: str, seconds: str | int) -> str:
    """A time ``seconds`` after ``moment``."""
    return _LATER[connection.vendor].format(moment=moment, seconds=seconds)


def seconds_between(start: str, end: str) -> str:
    return _BETWEEN[connection.vendor].format(start=start, end=end)


def uuid() -> str:
    return _UUID[connection.vendor]


def dice(row: str, number: int, sides: int) -> str:
    """A number below ``sides`` that looks random but depends only on the row and ``number``."""
    return f"((({row} + {number * 1_000_003}) * 2654435761 % 4294967296) / 65536 % {sides})"


def document(**values: str) -> str:
    """A JSON object with these values, each an expression for its JSON text; without those that are NULL."""
    parts = [f"coalesce(', \"{name}\": ' || {value}, '')" for name, value in values.items()]
    text = "'{' || substr(" + " || ".join(parts) + ", 3) || '}'"
    return f"({text})::jsonb" if connection.vendor == "postgresql" else text


def as_json(text: str) -> str:
    """The JSON text of a text without quotation marks."""
    return f"('\"' || {text} || '\"')"


def moment_as_json(moment: str) -> str:
    return _MOMENT_AS_JSON[connection.vendor].format(moment=moment)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def fill(table: str, source: str, **columns: Any) -> None:
    """Insert a row per row of ``source`` (what follows FROM), each column from an expression."""
    values = ", ".join(str(value) for value in columns.values())
    execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {source}")
