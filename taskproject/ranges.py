"""The first rows of an order that no index has for all of them together, but each of several ranges has for itself.

As *the latest of these three projects* with an index of (project, id): each range is read in its order as far as needed
at most, and they are merged. Given ``project IN (…)`` instead, a planner reads all rows and sorts them, or walks the
order of the whole table past the rows of everybody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from taskproject.prepared.parameters import Parameter
from taskproject.prepared.texts import merged_text

#: Ranges that are merged; a statement of more takes too long to plan.
MOST_RANGES: Final = 50
#: Values of a statement; more than these are not repeated for each range.
MOST_VALUES: Final = 5_000
#: Entries of a lead that are looked at.
MOST_LED: Final = 5_000
#: Stands for the range in a condition.
RANGE: Final = Parameter("range")


def first_places(
    rows: QuerySet, column: str, ranges: Sequence[int] | None, *, reverse: bool, count: int
) -> list[tuple[Any, int]] | None:
    """The value of ``column`` and the id of the first ``count`` of ``rows`` in that order, backwards if ``reverse``.

    A condition of theirs compares with ``RANGE``, for which each of the ``ranges`` is put; None: with nothing, as an
    index of all has the order. None is returned if the statement would be too long.
    """
    columns = ("pk",) if column == "pk" else (column, "pk")
    ordered = rows.order_by(*(f"-{each}" if reverse else each for each in columns))
    pairs = ordered.values_list(*columns)[:count]
    if ranges is None:
        return [(row[0], row[-1]) for row in pairs]
    compiler = pairs.query.get_compiler(connection=connection)
    try:
        part, values = compiler.as_sql()
    except EmptyResultSet:
        return []
    if not ranges or len(values) * len(ranges) > MOST_VALUES:
        return None if ranges else []
    way = "DESC" if reverse else "ASC"
    order = ", ".join(f"{place} {way}" for place, _ in enumerate(columns, 1))
    bound = [each if isinstance(value, Parameter) else value for each in ranges for value in values]
    with connection.cursor() as cursor:
        cursor.execute(merged_text(part, len(ranges), order=order, most=count), bound)
        read = cursor.fetchall()
    return [(row[0], row[-1]) for row in compiler.results_iter([read], tuple_expected=True)]


@dataclass(frozen=True)
class Lead:
    """Another table that has ids of rows in their order for each of its ``ranges``, to begin with where these are few.

    ``where``: SQL about ``led``, that table, with a place for the range. ``rows``: of all of them, those that count.
    ``repeats``: a range may have an id twice.
    """

    table: str
    key: str
    where: str
    ranges: tuple[Any, ...]
    rows: QuerySet
    repeats: bool = False

    def places(self, beyond: int | None, *, reverse: bool, count: int) -> list[tuple[int, int]] | None:
        """The first ``count`` in the order of their ids, after ``beyond`` if given, each id twice as a place.

        None if ``MOST_LED`` entries were looked at and did not suffice, or the statement would be too long.
        """
        if not self.ranges:
            return []
        way = "DESC" if reverse else "ASC"
        limits = "" if beyond is None else f" AND {self._id} {'<' if reverse else '>'} {int(beyond)}"
        ends = self._ends(limits, way)
        # So far each range has been read, and nothing is missing.
        end = (max if reverse else min)(ends) if ends else None
        within = limits if end is None else f"{limits} AND {self._id} {'>' if reverse else '<'} {end}"
        try:
            part, values = self._part(within)
        except EmptyResultSet:
            return []
        if len(values) > MOST_VALUES:
            return None
        part = f"{part} ORDER BY 1 {way} LIMIT {count}"
        rows = self._run(merged_text(part, len(self.ranges), order=f"1 {way}", most=count), values)
        return None if end is not None and len(rows) < count else [(pk, pk) for (pk,) in rows]

    def count(self, most: int) -> int | None:
        """How many there are, at most ``most``; None if there are more entries than are looked at, as above."""
        if not self.ranges:
            return 0
        if self._ends("", "ASC"):
            return None
        try:
            part, values = self._part("")
        except EmptyResultSet:
            return 0
        if len(values) > MOST_VALUES:
            return None
        each = merged_text(part, len(self.ranges), order="1", most=most)
        return int(self._run(f"SELECT count(*) FROM ({each}) AS counted", values)[0][0])  # noqa: S608 - no values

    @property
    def _id(self) -> str:
        return f"led.{self.key}"

    def _ends(self, limits: str, way: str) -> list[int]:
        """Where ``MOST_LED`` entries end of the ranges that have more."""
        most = MOST_LED // len(self.ranges)
        entries = f"SELECT {self._id} FROM {self.table} AS led WHERE {self.where}{limits}"  # noqa: S608 - of our constants
        of_range = f"SELECT ({entries} ORDER BY 1 {way} LIMIT 1 OFFSET {most})"
        rows = self._run(" UNION ALL ".join([of_range] * len(self.ranges)), list(self.ranges))
        return [pk for (pk,) in rows if pk is not None]

    def _part(self, limits: str) -> tuple[str, list[Any]]:
        """The ids of a range that count, with the values for all ranges. Raises ``EmptyResultSet``."""
        rows = self.rows.filter(pk=RawSQL(self._id, ())).order_by().values("pk")  # noqa: S611 - of our constants
        sql, values = rows.query.get_compiler(connection=connection).as_sql()
        distinct = "DISTINCT " if self.repeats else ""
        # With an offset the planner looks at each by its id; else it may read all rows to compare them.
        counts = f"EXISTS ({sql} LIMIT 1 OFFSET 0)"
        part = f"SELECT {distinct}{self._id} FROM {self.table} AS led WHERE {self.where}{limits} AND {counts}"  # noqa: S608
        return part, [value for each in self.ranges for value in (each, *values)]

    @staticmethod
    def _run(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(text, values)
            return list(cursor.fetchall())
