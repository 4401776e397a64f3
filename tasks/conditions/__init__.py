"""One language of conditions for lists, addresses and reports: see ``docs/conditions.md``.

``read`` or ``loads`` a document against a table of fields, ``compile`` it to a ``Q``. ``of_tasks`` declares the fields
of a task; reports bring tables of their own.
"""

from tasks.conditions.compiling import compile
from tasks.conditions.fields import Context, Field, Kind
from tasks.conditions.grammar import (
    All,
    Any_,
    Condition,
    Fields,
    Leaf,
    Not,
    both,
    document_of,
    leaves,
    loads,
    parts_of,
    read,
)

__all__ = [
    "All",
    "Any_",
    "Condition",
    "Context",
    "Field",
    "Fields",
    "Kind",
    "Leaf",
    "Not",
    "both",
    "compile",
    "document_of",
    "leaves",
    "loads",
    "parts_of",
    "read",
]
