"""A compiled statement: its text, its parameters in order, and how to run it."""

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from taskproject.prepared.parameters import Parameter, for_driver
from taskproject.prepared.running import run


class Text:
    """The SQL of ``compiler``. Constants are written out: only with literals does a plan for any values use an index
    on a part of a table, such as that of tasks that are not started. ``table``: which it changes, if any.
    ``stand_ins``: integers that stand for parameters.
    """

    __slots__ = ("parameters", "sql", "table")

    def __init__(self, compiler: Any, *, table: str = "", stand_ins: Collection[int] = ()) -> None:
        self.table = table
        sql, parameters = compiler.as_sql()
        pieces = sql.split("%s")
        self.sql = pieces[0]
        self.parameters: list[Any] = []
        for parameter, piece in zip(parameters, pieces[1:], strict=True):
            literal = None if stand_ins and parameter in stand_ins else _literal(parameter)
            if literal is None:
                self.parameters.append(parameter if isinstance(parameter, Parameter) else for_driver(parameter))
            self.sql += ("%s" if literal is None else literal) + piece

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        connection = connections[DEFAULT_DB_ALIAS]
        return [each.value_in(values, connection) if isinstance(each, Parameter) else each for each in self.parameters]

    def run(self, values: Mapping[str, Any]) -> tuple[list[tuple[Any, ...]], int]:
        return run(self.sql, self.bind(values))


def _literal(value: Any) -> str | None:
    """A constant of our own code as SQL; None if it is to be a parameter."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        text = str(value.value if isinstance(value, Enum) else value)
        return "'" + text.replace("'", "''").replace("%", "%%") + "'"
    return None


def merged_text(part: str, times: int, *, order: str, most: int) -> str:
    """The first ``most`` rows of a statement that is run ``times`` with other values; ``order``: of columns by their
    places, as in ``1 DESC``. The order and limit of each part are its own: so it walks an index, and PostgreSQL does
    not read all parts to sort them.
    """
    parts = " UNION ALL ".join([f"SELECT * FROM ({part}) AS part"] * times)  # noqa: S608 - no values
    return f"{parts} ORDER BY {order} LIMIT {most}"
