"""Many rows at once on SQLite, where what an INSERT costs others is the time that it holds the only lock.

Most of that time Python computes the values of columns. ``Rows`` does so before the transaction; under the lock there
is one statement, run once for each row. ``bulk_create`` compiles a statement of thousands of parameters for each lot.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import connections
from django.db.models import Model


class Rows:
    """Unsaved objects of one model, ready to be inserted: all that is missing are ids.

    ``take_ids`` and ``insert`` belong into one transaction. What depends on ids is set on the objects in between, as
    whole numbers or text, and named in ``late``.
    """

    def __init__(self, objects: Iterable[Model]) -> None:
        self.objects = list(objects)
        if not self.objects:
            return
        # Not the proxy for the thread's connection, which costs as much as the rest.
        self._connection = connections["default"]
        self._meta = type(self.objects[0])._meta
        self._fields = [field for field in self._meta.concrete_fields if not getattr(field, "generated", False)]
        self._values = [
            [field.get_db_prep_save(field.pre_save(each, True), self._connection) for field in self._fields]
            for each in self.objects
        ]

    def take_ids(self) -> None:
        """Give each object the next id, in order."""
        if not self.objects:
            return
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [self._meta.db_table])
            last = (cursor.fetchone() or [0])[0]
        for number, each in enumerate(self.objects, last + 1):
            each.pk = number

    def insert(self, late: Collection[str] = ()) -> None:
        if not self.objects:
            return
        names: list[str] = [field.attname for field in self._fields]
        assert self._meta.pk is not None
        places = [(names.index(name), name) for name in (self._meta.pk.attname, *late)]
        for each, values in zip(self.objects, self._values, strict=True):
            for place, name in places:
                values[place] = each.__dict__[name]
            each._state.adding = False
            each._state.db = self._connection.alias
        insert_values(self._meta.model, names, self._values)


def insert_many(objects: Iterable[Model]) -> None:
    """Insert these unsaved objects of one model; each gets the next id, in order."""
    rows = Rows(objects)
    rows.take_ids()
    rows.insert()


def insert_values(model: type[Model], names: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
    """Insert a row for each of ``values``: whole numbers and text, for these attributes (``task_id``)."""
    connection = connections["default"]
    quote = connection.ops.quote_name
    columns = {field.attname: str(field.column) for field in model._meta.concrete_fields}
    listed, marks = ", ".join(quote(columns[name]) for name in names), ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {quote(model._meta.db_table)} ({listed}) VALUES ({marks})", values)  # noqa: S608
