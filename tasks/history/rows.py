"""New rows of the history, light enough for an import of many thousand tasks, and their way into the database."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Model

from taskproject.prepared.inserting import insert_rows
from taskproject.prepared.running import send_waiting
from taskproject.sqlite.inserting import insert_values

#: From this number on, rows are brought to PostgreSQL by COPY, to SQLite with one statement run for each.
MANY = 50


class Row:
    """A row that is not stored yet: what was set, and for the rest the defaults of its model, by attribute name."""

    pk: int | None = None
    model: type[Model]
    defaults: dict[str, Any]

    def __init__(self, **values: Any) -> None:
        self.__dict__ = {**self.defaults, **values}

    def __str__(self) -> str:
        return str(self.model(**self.__dict__))


@cache
def defaults_of(model: type[Model]) -> dict[str, Any]:
    """The defaults of a model's columns but its key, by attribute name, in the order of the columns."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    defaults = {field.attname: field.get_default() for field in fields}
    return {name: getattr(value, "value", value) for name, value in defaults.items()}


@cache
def row_of(model: type[Model]) -> Callable[..., Any]:
    """What makes new rows of ``model``."""
    return type(f"New{model.__name__}", (Row,), {"model": model, "defaults": defaults_of(model)})


def insert(rows: Sequence[Any]) -> None:
    """Insert rows of one model, in order."""
    if not rows:
        return
    model: type[Model] = rows[0].model
    if len(rows) < MANY:
        insert_rows(model, [row.__dict__ for row in rows])
        return
    values = [list(row.__dict__.values()) for row in rows]
    if connection.vendor == "sqlite":
        _adapt_times(model, values)
        insert_values(model, list(defaults_of(model)), values)
        return
    table = connection.ops.quote_name(model._meta.db_table)
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    send_waiting()
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for each in values:
            copy.write_row(each)


def _adapt_times(model: type[Model], rows: Sequence[list[Any]]) -> None:
    """Make the times what SQLite takes; many rows have the same ones."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    adapt = cache(connection.ops.adapt_datetimefield_value)
    for place, field in enumerate(fields):
        if isinstance(field, DateTimeField):
            for row in rows:
                row[place] = adapt(row[place])
