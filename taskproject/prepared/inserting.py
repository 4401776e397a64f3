"""New rows of one model by one statement, whose text does not depend on how many they are.

PostgreSQL takes them as one JSON document, SQLite as a list of values.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import DateTimeField, DecimalField, Field, JSONField, Model, UUIDField
from django.db.models.expressions import DatabaseDefault

from taskproject.prepared.documents import as_document, type_of
from taskproject.prepared.running import run, vendor
from taskproject.prepared.together import write_keys

#: How many values SQLite takes in a statement, by its own default of old.
MOST_VALUES = 999
#: Fields whose values SQLite does not take as they are.
_ADAPTED = (DateTimeField, DecimalField, JSONField, UUIDField)


def insert(instances: Sequence[Model]) -> None:
    """Store new instances of one model, in order, and give them their keys; without ``save`` and signals."""
    if not instances:
        return
    model = type(instances[0])
    for name, default in _defaults_of_the_database(model):
        for instance in instances:
            if isinstance(instance.__dict__[name], DatabaseDefault):
                instance.__dict__[name] = default
    name = _key_of(model).attname

    def take(keys: Sequence[Any]) -> None:
        for instance, key in zip(instances, keys, strict=True):
            instance.__dict__[name] = key
            instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS

    insert_rows(model, [instance.__dict__ for instance in instances], take)


def insert_rows(
    model: type[Model], rows: Sequence[Mapping[str, Any]], take_keys: Callable[[list[Any]], None] = lambda keys: None
) -> None:
    """Store a row for each of ``rows``, in order: a value for each column of ``model`` by attribute name (``task_id``),
    but for a key that the database gives. ``take_keys`` gets their keys, once they are known.

    Both may wait for the other writes of the transaction; see ``together``.
    """
    if not rows:
        return
    sql, fields = _text(vendor(), model)
    if vendor() == "postgresql":
        document = as_document([{field.column: row[field.attname] for field in fields} for row in rows])
        write_keys(model._meta.db_table, sql, [document], take_keys)
        return
    keys: list[Any] = []
    most = max(1, MOST_VALUES // len(fields))
    for begin in range(0, len(rows), most):
        batch = rows[begin : begin + most]
        values = [
            field.get_db_prep_save(row[field.attname], connection) if adapted else row[field.attname]
            for row in batch
            for field, adapted in fields
        ]
        marks = ", ".join(["(" + ", ".join(["%s"] * len(fields)) + ")"] * len(batch))
        keys += [_key_of(model).to_python(key) for (key,) in run(sql.replace("%s", marks), values)[0]]
    take_keys(keys)


@functools.cache
def _defaults_of_the_database(model: type[Model]) -> list[tuple[str, Any]]:
    """What columns are by default that have no other default than the database's."""
    fields = [field for field in model._meta.concrete_fields if field.has_db_default() and not field.has_default()]
    if unknown := [field.name for field in fields if not isinstance(field.db_default, str | int | float)]:
        raise TypeError(f"Only the database knows what {', '.join(unknown)} of {model.__name__} is.")
    return [(field.attname, field.db_default) for field in fields]


@functools.cache
def _key_of(model: type[Model]) -> Any:
    return model._meta.pk


@functools.cache
def _text(vendor: str, model: type[Model]) -> tuple[str, list[Any]]:
    """The statement, and its fields; on SQLite each with whether its values are to be adapted."""
    meta = model._meta
    fields: list[Field] = [
        field
        for field in meta.concrete_fields
        if not getattr(field, "generated", False)
        and not (field.primary_key and str(field.get_internal_type()).endswith("AutoField"))
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    into, key = f'INSERT INTO "{meta.db_table}" ({columns})', _key_of(model).column
    if vendor == "postgresql":
        types = ", ".join(f'"{field.column}" {type_of(field)}' for field in fields)
        source = f"SELECT {columns} FROM json_to_recordset(%s) AS given ({types})"  # noqa: S608 - our own names
        return f'{into} {source} RETURNING "{key}"', fields
    return f'{into} VALUES %s RETURNING "{key}"', [(field, _is_adapted(field)) for field in fields]


def _is_adapted(field: Any) -> bool:
    return isinstance(field.target_field if field.is_relation else field, _ADAPTED)
