"""What turns the rows of a queryset's SQL into what the queryset would yield."""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.query import (
    FlatValuesListIterable,
    ModelIterable,
    ValuesIterable,
    ValuesListIterable,
    get_related_populators,
)

Rows = list[tuple[Any, ...]]
Reader = Callable[[Rows], list[Any]]


def reader_of(queryset: QuerySet, compiler: Any) -> Reader:
    """The reader of ``queryset``, whose ``compiler`` has made its SQL, and so knows its columns.

    Instances, ``values``, ``values_list`` and flat ones; raises ``TypeError`` for any other kind of rows.
    """
    kind: Any = queryset._iterable_class
    convert = _converter(compiler, queryset.db)
    if kind is ValuesListIterable:
        return convert
    if kind is FlatValuesListIterable:
        return lambda rows: [row[0] for row in convert(rows)]
    if kind is ValuesIterable:
        query = queryset.query
        names = [*query.extra_select, *query.values_select, *query.annotation_select]
        return lambda rows: [dict(zip(names, row, strict=True)) for row in convert(rows)]
    if kind is ModelIterable:
        return _instances(queryset, compiler, convert)
    raise TypeError(f"A prepared statement cannot yield the rows of {kind.__name__}.")


def _converter(compiler: Any, alias: str) -> Reader:
    converters = list(compiler.get_converters([column for column, _, _ in compiler.select]).items())
    if not converters:
        return lambda rows: rows

    def convert(rows: Rows) -> list[Any]:
        connection = connections[alias]
        converted = [list(row) for row in rows]
        for place, (functions, expression) in converters:
            for row in converted:
                for function in functions:
                    row[place] = function(row[place], expression, connection)
        return converted

    return convert


def _instances(queryset: Any, compiler: Any, convert: Reader) -> Reader:
    about, alias = compiler.klass_info, queryset.db
    model = about["model"]
    begin, end = about["select_fields"][0], about["select_fields"][-1] + 1
    names = [column.target.attname for column, _, _ in compiler.select[begin:end]]
    # From Django 6.1 on, rows know how to fetch what they lack.
    more = (queryset._fetch_mode,) if hasattr(queryset, "_fetch_mode") else ()
    populators = get_related_populators(about, compiler.select, alias, *more)
    annotations = list((compiler.annotation_col_map or {}).items())

    def instances(rows: Rows) -> list[Any]:
        made = []
        for row in convert(rows):
            instance = model.from_db(alias, names, row[begin:end])
            for populator in populators:
                populator.populate(row, instance)
            for name, place in annotations:
                setattr(instance, name, row[place])
            made.append(instance)
        return made

    return instances
