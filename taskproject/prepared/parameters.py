"""Values that come with each call of a statement, and how the drivers take them."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Expression, Field, IntegerField, Lookup, UUIDField
from psycopg.types.numeric import Int8

from taskproject.prepared.running import vendor


class Parameter(Expression):
    """A value that each call gives by name. With ``column`` it is prepared as a value of that field is."""

    #: Django asks for the type of what stands in a condition; a parameter is never one itself.
    conditional = False

    def __init__(self, name: str, column: Field | None = None) -> None:
        super().__init__(output_field=column)
        self.name = name
        self.column = column

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def _resolve_output_field(self) -> Field | None:
        return self.column

    def value_in(self, values: Mapping[str, Any], connection: Any) -> Any:
        """Its value among those of a call, as the driver of ``connection`` takes it."""
        value = values[self.name]
        if self.column is not None and value is not None:
            value = self.column.get_db_prep_save(value, connection)
        return for_driver(value)


@IntegerField.register_lookup
@UUIDField.register_lookup
class IsAnyOf(Lookup):
    """``pk__any=ids``: a value of a list that is one parameter, so that the text is the same for any length."""

    lookup_name = "any"

    def get_prep_lookup(self) -> Any:
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, parameters = self.process_lhs(compiler, connection)
        right, more = compiler.compile(self.rhs)
        if connection.vendor == "postgresql":
            return f"{left} = ANY({right})", (*parameters, *more)
        return f"{left} IN (SELECT value FROM json_each({right}))", (*parameters, *more)  # noqa: S608 - no values


def for_driver(value: Any) -> Any:
    """``value`` as the driver takes it. Integers have one type, since PostgreSQL plans a statement for each."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, Enum):
        value = value.value
    if vendor() == "postgresql":
        return _for_psycopg(value)
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, list | tuple | set | frozenset):
        return orjson.dumps([for_driver(item) for item in value]).decode()
    return value


def _for_psycopg(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return Int8(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_for_psycopg(item) for item in value]
    return value
