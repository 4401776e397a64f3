"""Which facts a figure counts: the same filters that counted them, narrowed to one cell.

A figure is a column of a row: a bucket of the period and words of the dimensions. What it counts are all facts of the
cell for a count, those with a value for what is measured, those that are so for the sum of a flag.
"""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from reports.charts import Href
from reports.definitions import Cell, Definition, Measured, Time, columns
from reports.definitions.spans import previous_of
from reports.instants import zone_at
from reports.periods import BucketSize, Period
from reports.report import Answer, Row
from reports.running import Query
from reports.scopes import Scope
from reports.units import FLAG
from reports.vocabulary import FACTS
from reports.vocabulary.declaration import Dimension
from taskproject.times import stamp

#: Longer addresses are refused by the server; a figure that needs one has no link.
LONGEST: Final = 6_000


def behind(definition: Definition, cell: Cell, scope: Scope, *, now: datetime, user: Any) -> QuerySet:
    """The facts that the figure in ``cell`` counts, of ``scope`` alone; as many as it says.

    A percentile or a mean of n facts has n behind it. The ``tz`` of ``definition`` names a zone.
    """
    query = query_of(definition, cell, scope, now=now, user=user)
    rows = query.within(_period(definition, cell))
    for name, word in cell.words.items():
        dimension = query.fact.dimension(name)
        column = f"g_{name}"
        rows = rows.annotate(**{column: dimension.expression})
        rows = rows.filter(**({f"{column}__isnull": True} if word is None else {column: _value(dimension, word)}))
    measured = measured_in(definition, cell.column)
    if measured is None or measured.name is None:
        return rows
    is_sum_of_flags = measured.aggregate == "sum" and query.fact.measure(measured.name).unit == FLAG
    if is_sum_of_flags and cell.column == measured.column:
        return rows.filter(**{f"m_{measured.name}": 1})
    return rows.filter(**{f"m_{measured.name}__isnull": False})


def query_of(definition: Definition, cell: Cell, scope: Scope, *, now: datetime, user: Any) -> Query:
    """The query that counts the cell, with which its facts are found."""
    return Query(definition, scope, _period(definition, cell), now=now, user=user)


def _period(definition: Definition, cell: Cell) -> Period:
    return Period(cell.start, cell.end, BucketSize.YEAR, zone_at("tz", definition.tz))


def measured_in(definition: Definition, column: str) -> Measured | None:
    """The measure of ``definition`` that ``column`` belongs to; None: it has no such column."""
    name = column.removesuffix(columns.PREVIOUS)
    for measured in definition.measures:
        if name in (measured.column, columns.n_of(measured)):
            return measured
    return None


def _value(dimension: Dimension, word: str) -> Any:
    """What the database has where a row shows ``word``."""
    return next((value for value, (known, _) in dimension.choices.items() if known == word), word)


def cell_in(answer: Answer, row: Row, column: str) -> tuple[Definition, Cell] | None:
    """The cell of a figure of ``answer``, with the definition that counts it alone; None if no facts are behind it.

    ``row`` is one of its rows, its total or its single figures, or a copy.
    """
    if not row.get(column):
        return None
    if answer.report is not None and (lead := answer.report.behind.get(column)) is not None:
        led = lead(answer, row)
        return led and (replace(led[0], tz=answer.tz), led[1])
    counted = (answer.definition, column) if answer.report is None else answer.report.counted_by(column)
    if counted is None or counted[0] is None:
        return None
    return _of_definition(answer, counted[0], row, counted[1])


def _of_definition(answer: Answer, definition: Definition, row: Row, name: str) -> tuple[Definition, Cell] | None:
    measured = measured_in(definition, name)
    if measured is None or measured.aggregate == "distinct" or name.endswith(columns.CHANGE):
        return None
    span = _span(answer, row, is_previous=name.endswith(columns.PREVIOUS))
    if span is None:
        return None
    is_total = _is_total(answer, row, definition)
    words = {} if is_total else {each: row[each] for each in definition.by}
    on = definition.time.on if definition.time is not None else FACTS[definition.facts].moments[0].name
    alone = replace(
        definition,
        measures=(measured,),
        by=tuple(words),
        time=Time(on),
        period=None,
        tz=answer.tz,
        compare=None,
        order=(),
        limit=None,
        chart=None,
    )
    return alone, Cell(name.removesuffix(columns.PREVIOUS), *span, words)


def _span(answer: Answer, row: Row, *, is_previous: bool) -> tuple[datetime, datetime] | None:
    period = answer.period
    start = row.get("starts_at") or period.start
    end = row.get("ends_at") or period.end
    if not is_previous:
        return start, end
    assert answer.definition is not None
    earlier = previous_of(answer.definition, period)
    if (start, end) == (period.start, period.end):
        return earlier.start, earlier.end
    starts = [bucket.start for bucket in period.buckets]
    if start not in starts:
        return None
    index = starts.index(start)
    edges = [earlier.start, *earlier.edges, earlier.end]
    # Of two months of which one is shorter, a bucket may have no time to be compared with.
    return (edges[index], edges[index + 1]) if edges[index] < edges[index + 1] else None


def _is_total(answer: Answer, row: Row, definition: Definition) -> bool:
    """Whether ``row`` is the total, which has no words: as has the row of what has none."""
    if any(row.get(name) is not None for name in definition.by):
        return False
    if answer.is_over_time and row.get("bucket") is not None:
        return not definition.by
    figures = [column.name for column in answer.columns if column.role in ("measure", "n")]
    # The same figures count the same facts: those without a value are all there are.
    return not any(
        all(each.get(name) is None for name in definition.by)
        and each.get("bucket") is None
        and all(each.get(name) == row.get(name) for name in figures)
        for each in answer.rows
    )


def href_of(answer: Answer) -> Href:
    """For charts and tables of ``answer``: where a figure leads, the page with the facts behind it."""
    project = answer.scope.project.key if answer.scope.project else None

    def href(row: Row, column: str) -> str | None:
        asked = cell_in(answer, row, column)
        return None if asked is None else address_of(*asked, project=project)

    return href


def address_of(definition: Definition, cell: Cell, *, project: str | None = None) -> str | None:
    """The address of the page with the facts behind ``cell``; None if it would be too long."""
    query = {
        "definition": json.dumps(definition.to_document(), ensure_ascii=False, separators=(",", ":")),
        "column": cell.column,
        "from": stamp(cell.start),
        "to": stamp(cell.end),
    }
    if cell.words:
        query["words"] = json.dumps(dict(cell.words), ensure_ascii=False, separators=(",", ":"))
    if project:
        query["project"] = project
    address = f"{reverse('behind')}?{urlencode(query)}"
    return address if len(address) <= LONGEST else None
