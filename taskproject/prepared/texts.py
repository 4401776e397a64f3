"""A compiled statement: its text, its parameters in order, and how to run it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from taskproject.prepared.documents import as_document, type_of
from taskproject.prepared.parameters import Parameter, for_driver
from taskproject.prepared.running import run

#: Where an UPDATE of many rows names their values.
_FROM = "\0"
#: Types on PostgreSQL of values that belong to no column.
_TYPES = {
    bool: "boolean",
    int: "bigint",
    str: "text",
    float: "double precision",
    datetime: "timestamptz",
    Decimal: "numeric",
    UUID: "uuid",
}


class Text:
    """The SQL of ``compiler``. Constants are written out: only with literals does a plan for any values use an index
    on a part of a table, such as that of tasks that are not started. ``table``: which it changes, if any; ``ending``:
    more SQL without parameters; ``stand_ins``: integers that stand for parameters.
    """

    __slots__ = ("_for_many", "_given", "_pieces", "parameters", "sql", "table")

    def __init__(self, compiler: Any, *, table: str = "", ending: str = "", stand_ins: Collection[int] = ()) -> None:
        self.table = table
        sql, parameters = compiler.as_sql()
        if table:
            condition = f"WHERE {compiler.compile(compiler.query.where)[0]}"
            if sql.endswith(condition):
                sql = sql.removesuffix(condition) + _FROM + condition
        first, *pieces = sql.split("%s")
        self._pieces: list[str] = [first]
        self._given: list[Any] = []
        for parameter, piece in zip(parameters, pieces, strict=True):
            literal = None if stand_ins and parameter in stand_ins else _literal(parameter)
            if literal is None:
                self._given.append(parameter)
                self._pieces.append(piece)
            else:
                self._pieces[-1] += literal + piece
        self._pieces[-1] += ending
        self.sql = "%s".join(self._pieces).replace(_FROM, "")
        self.parameters = [each if isinstance(each, Parameter) else for_driver(each) for each in self._given]
        self._for_many: dict[tuple[str, ...], str] = {}

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        connection = connections[DEFAULT_DB_ALIAS]
        return [each.value_in(values, connection) if isinstance(each, Parameter) else each for each in self.parameters]

    def run(self, values: Mapping[str, Any]) -> tuple[list[tuple[Any, ...]], int]:
        return run(self.sql, self.bind(values))

    def for_many(self, many: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
        """The same UPDATE once for each of these values, on PostgreSQL: its SQL, and the document that is its only
        parameter.
        """
        rows = [[values[each.name] if isinstance(each, Parameter) else each for each in self._given] for values in many]
        types = tuple(
            _type_on_postgresql(each, column) for each, column in zip(self._given, zip(*rows, strict=True), strict=True)
        )
        sql = self._for_many.get(types)
        if sql is None:
            columns = ", ".join(f"p{place} {name}" for place, name in enumerate(types))
            sql = self._pieces[0] + "".join(f"given.p{place}{piece}" for place, piece in enumerate(self._pieces[1:]))
            sql = self._for_many[types] = sql.replace(_FROM, f"FROM json_to_recordset(%s) AS given ({columns}) ")
        return sql, as_document([{f"p{place}": value for place, value in enumerate(row)} for row in rows])


def _type_on_postgresql(given: Any, values: Sequence[Any]) -> str:
    if isinstance(given, Parameter) and given.column is not None:
        return type_of(given.column)
    first = next((value for value in values if value is not None), "")
    return _TYPES[type(first.value if isinstance(first, Enum) else first)]


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
