"""Many rows of values as one JSON document, which PostgreSQL reads as rows of typed columns."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.utils.functional import Promise


def as_document(rows: Any) -> str:
    try:
        return orjson.dumps(rows, default=_as_text).decode()
    except TypeError:
        # Numbers beyond 64 bits, which JSON may hold.
        return json.dumps(rows, default=_as_text)


def type_of(field: Any) -> str:
    """The type of the field's column, as the definition of such a row names it."""
    return str(field.rel_db_type(connection) if field.is_relation else field.db_type(connection))


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | Promise):
        return str(value)
    raise TypeError(f"{value!r} cannot be stored.")
