"""Comparing without case beyond ASCII, as PostgreSQL does: SQLite's ``LIKE`` knows only A to Z.

A lookup for ASCII text stays ``LIKE``. Other text is compared by a function that each of our connections has, see
``base``; as a function in Python is slow, ``LIKE`` first looks for the longest part that is ASCII.
"""

import re
from typing import Any

from django.db.models import CharField, TextField, lookups

FUNCTION = "folded"
_ASCII = re.compile(r"[ -~]+")


def _lower(text: str) -> str:
    return text.lower().replace("ς", "σ")


def folded(text: Any) -> Any:
    """``text`` without differences of case, to find text that is not ASCII in it; so of ASCII nothing is left."""
    if not isinstance(text, str):
        return text
    return "" if text.isascii() else _lower(text)


class _Folded(lookups.Lookup):
    """Adds to a lookup of Django what it is on SQLite; ``comparison`` takes the column and the parameter."""

    comparison: str

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        needle = _lower(self.rhs) if isinstance(self.rhs, str) else ""
        if needle.isascii() or not getattr(connection, "knows_case", False):
            return self.as_sql(compiler, connection)
        column, parameters = self.process_lhs(compiler, connection)
        sql, values = self.comparison.format(f"{FUNCTION}({column})"), [*parameters, needle]
        if part := max(_ASCII.findall(needle), key=len, default=""):
            likely = "%" + connection.ops.prep_for_like_query(part) + "%"
            sql, values = f"({column} LIKE %s ESCAPE '\\' AND {sql})", [*parameters, likely, *values]
        return sql, values


class IContains(_Folded, lookups.IContains):
    comparison = "instr({}, %s) > 0"


class IStartsWith(_Folded, lookups.IStartsWith):
    comparison = "instr({}, %s) = 1"


class IExact(_Folded, lookups.IExact):
    comparison = "{} = %s"


def register() -> None:
    """Make them the lookups of all text columns."""
    for field in (CharField, TextField):
        for lookup in (IContains, IStartsWith, IExact):
            field.register_lookup(lookup)
