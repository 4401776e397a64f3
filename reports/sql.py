"""The few SQL expressions that the two databases spell differently.

Both return the same numbers, and SQLite calls no Python function per row, unlike with Django's own date arithmetic.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BigIntegerField, CharField, Func, IntegerField, QuerySet
from django.db.models.expressions import RawSQL

Rows = TypeVar("Rows", bound=QuerySet)
# Compiled SQL and its parameters, as Django's compilers pass them.
Compiled = tuple[str, list[Any]]


def by_index(rows: Rows, name: str) -> Rows:
    """``rows``, which SQLite looks up by the index ``name``; PostgreSQL knows by itself how few there are.

    SQLite's statistics say how often a value occurs on average, nothing about rare ones, so it would read the table.
    """
    connection = connections[rows.db]
    if connection.vendor != "sqlite":
        return rows
    try:
        sql, params = rows.order_by().values("pk").query.get_compiler(using=rows.db).as_sql()
    except EmptyResultSet:
        return rows.none()
    table = f"FROM {connection.ops.quote_name(rows.model._meta.db_table)}"
    keys = RawSQL(sql.replace(table, f"{table} INDEXED BY {name}", 1), params)  # noqa: S611 - names are ours
    return rows.model._default_manager.using(rows.db).filter(pk__in=keys)


class Word(Func):
    """A text in an event's ``data``: ``Word("data", "to")``. NULL if it is missing."""

    output_field = CharField()

    def __init__(self, expression: Any, key: str, **extra: Any) -> None:
        if not key.isidentifier():
            raise ValueError(f"{key!r} is not a key of an event's data.")
        super().__init__(expression, key=key, **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="JSON_EXTRACT(%(expressions)s, '$.%(key)s')", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="(%(expressions)s ->> '%(key)s')", **extra)


class Whole(Word):
    """A whole number in an event's ``data``: ``Whole("data", "run")``. NULL if it is missing."""

    output_field = BigIntegerField()  # type: ignore[assignment]

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="(%(expressions)s ->> '%(key)s')::bigint", **extra)


class Milliseconds(Func):
    """Whole milliseconds from the first time to the second, halves rounded away from zero."""

    output_field = BigIntegerField()
    arity = 2

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        (start, start_params), (end, end_params) = (compiler.compile(part) for part in self.source_expressions)
        whole = "UNIXEPOCH({})" if connection.Database.sqlite_version_info >= (3, 38) else "STRFTIME('%%s', {})"
        # Any digits from the 21st position on are the fraction; a date without one has none.
        end_micros, start_micros = (
            f"CAST(SUBSTR(SUBSTR({part}, 21) || '000000', 1, 6) AS INTEGER)" for part in (end, start)
        )
        micros = f"(({whole.format(end)} - {whole.format(start)}) * 1000000 + {end_micros} - {start_micros})"
        return f"CAST(ROUND({micros} / 1000.0) AS INTEGER)", [*end_params, *start_params] * 2

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        (start, start_params), (end, end_params) = (compiler.compile(part) for part in self.source_expressions)
        return f"(EXTRACT(EPOCH FROM (({end}) - ({start}))) * 1000)::bigint", [*end_params, *start_params]


class Scaled(Func):
    """A number that is not negative, times ``by``, as the nearest whole one: seconds in milliseconds, money in
    millionths.
    """

    output_field = BigIntegerField()

    def __init__(self, expression: Any, by: int, **extra: Any) -> None:
        super().__init__(expression, by=int(by), **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="CAST(%(expressions)s * %(by)d + 0.5 AS INTEGER)", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="FLOOR(%(expressions)s * %(by)d + 0.5)::bigint", **extra)


class BucketIndex(Func):
    """The bucket that a time falls into, from 0: the number of ``edges`` (ascending instants) at or before it."""

    output_field = IntegerField()

    def __init__(self, expression: Any, edges: Sequence[datetime], **extra: Any) -> None:
        self.edges = list(edges)
        super().__init__(expression, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.source_expressions[0])
        if not self.edges:
            return "0", []
        return f"WIDTH_BUCKET({sql}, %s::timestamptz[])", [*params, self.edges]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.source_expressions[0])
        # Literals: SQLite would copy a parameter for each comparison, which takes half as long again.
        edges = [f"'{connection.ops.adapt_datetimefield_value(edge)}'" for edge in self.edges]

        def search(low: int, high: int) -> Compiled:
            """A binary search over ``edges[low:high]`` as nested CASEs, log2 of their number deep."""
            if low == high:
                return str(low), []
            middle = (low + high) // 2
            before, before_params = search(low, middle)
            after, after_params = search(middle + 1, high)
            return (
                f"CASE WHEN {sql} < {edges[middle]} THEN {before} ELSE {after} END",
                [*params, *before_params, *after_params],
            )

        return search(0, len(edges))
