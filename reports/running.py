"""Runs definitions: from what somebody asks to figures, through the vocabulary and the one ``summarise``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from reports.definitions import Definition, Measured, columns
from reports.definitions.document import MOST_CELLS
from reports.definitions.spans import period_of, previous_of
from reports.engines import TooManyGroups, summarise
from reports.limits import TooLarge, limited
from reports.measures import Aggregate, Count, Exact, without_facts
from reports.notes import on_durations
from reports.periods import Period
from reports.report import Answer, Part, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope, scope_of
from reports.sql import BucketIndex
from reports.units import SECONDS, settled
from reports.vocabulary import CONDITIONS, FACTS
from reports.vocabulary.conditions import aliased
from reports.vocabulary.declaration import Dimension, aggregate_of
from tasks.conditions import Context, compile
from tasks.zones import reader_zone

Cells = dict[tuple, Row]


def run(
    definition: Definition,
    *,
    user: Any,
    now: datetime,
    project: str | None = None,
    zone: ZoneInfo | None = None,
    title: str = "Report",
) -> Answer:
    """What ``definition`` counts, of the projects of ``user`` alone (of one, if ``project`` is its key).

    ``zone``: in which they read; by default that of their profile. Raises ``Invalid``, ``NotFound``, ``TooLarge`` and
    ``TooSlow``.
    """
    scope = scope_of(user, project)
    period = period_of(definition, now=now, reads_in=zone or reader_zone(user))
    with limited():
        result = measure(definition, scope, period, now=now, user=user)
    return Answer(
        slug="report",
        title=title,
        description=FACTS[definition.facts].meaning,
        columns=columns.of(definition),
        scope=scope,
        period=period,
        result=result,
        at=now,
        definition=definition,
    )


def answer(report: Report, scope: Scope, period: Period, *, now: datetime) -> Answer:
    """Run ``report`` for ``period`` in ``scope``; ``now`` decides which buckets are not over yet."""
    with limited():
        if report.query is not None:
            result = report.query(scope, period, now)
        else:
            result = side_by_side(report, scope, period, now=now)
    return Answer(
        slug=report.slug,
        title=report.title,
        description=report.description,
        columns=report.columns,
        scope=scope,
        period=period,
        result=result,
        at=now,
        report=report,
    )


def measure(definition: Definition, scope: Scope, period: Period, *, now: datetime, user: Any = None) -> Result:
    """The figures of ``definition`` in ``scope`` and ``period``. ``user``: whom its conditions mean by ``me``."""
    query = Query(definition, scope, period, now=now, user=user)
    shown = columns.of(definition)
    cells, total, n = query.cells(period)
    if definition.compare:
        earlier, earlier_total, _ = query.cells(previous_of(definition, period))
        cells = {key: _compared(cells.get(key), earlier.get(key), query.nothing) for key in {**cells, **earlier}}
        total = _compared(total, earlier_total, query.nothing)
    names = [column.name for column in shown if column.role in ("measure", "n")]
    empty = _compared(None, None, query.nothing) if definition.compare else query.nothing
    rows = _in_order(query.rows(cells, names, empty), definition.order, query.dimensions)
    limited = rows[: definition.limit]
    notes = query.notes(total, n)
    if len(limited) < len(rows):
        notes.append(f"{len(limited):,} of {len(rows):,} rows are shown; the total is over all.")
    total = query.naming_of_total() | total
    total = {column.name: total[column.name] for column in shown}
    return Result(limited, total, n=n, notes=tuple(notes), words=query.words(limited))


def side_by_side(report: Report, scope: Scope, period: Period, *, now: datetime) -> Result:
    """The figures of the parts of ``report``: a row for each bucket, or for the words that any of them has."""
    cells: Cells = {}
    nothing: Row = {}
    total: Row = {}
    notes: list[str] = []
    for definition, names in _merged(report.parts):
        query = Query(definition, scope, period, now=now)
        counted, whole, n = query.cells(period)
        for key, cell in counted.items():
            cells.setdefault(key, {}).update({name: cell[column] for name, column in names.items()})
        nothing |= {name: query.nothing[column] for name, column in names.items()}
        total |= query.naming_of_total() | {name: whole[column] for name, column in names.items()}
        notes += query.notes(whole, n)
    rows = query.rows({key: nothing | cell for key, cell in cells.items()}, list(nothing), nothing)
    rows = _in_order(rows, report.order, query.dimensions)
    words = query.words(rows)
    everything = [*rows, total]
    if report.remarks is not None:
        notes += report.remarks(total)
    if report.more is not None:
        everything = [row | more for row, more in zip(everything, report.more(everything), strict=True)]
    *rows, total = ({column.name: row[column.name] for column in report.columns} for row in everything)
    return Result(rows, total, notes=tuple(dict.fromkeys(notes)), words=words)


def _merged(parts: Sequence[Part]) -> list[tuple[Definition, dict[str, str]]]:
    """Definitions with the names of their columns; those that count the same facts are asked together."""
    merged: dict[Definition, tuple[list[Measured], dict[str, str]]] = {}
    for part in parts:
        measures, names = merged.setdefault(replace(part.definition, measures=()), ([], {}))
        measures += [each for each in part.definition.measures if each not in measures]
        names |= part.columns
    return [(replace(alike, measures=tuple(measures)), names) for alike, (measures, names) in merged.items()]


class Query:
    """One definition on its way to the database."""

    def __init__(
        self, definition: Definition, scope: Scope, period: Period, *, now: datetime, user: Any = None
    ) -> None:
        self.definition, self.scope, self.period, self.now = definition, scope, period, now
        self.fact = fact = FACTS[definition.facts]
        self.context = Context(user, period.zone, now)
        self.is_over_time = definition.time is not None and definition.time.bucket is not None
        self.moment = fact.moment(definition.time.on) if definition.time is not None else fact.moments[0]
        self.dimensions = [fact.dimension(name) for name in definition.by]
        self.aggregates, self.units = self._aggregates()
        self.nothing: Row = self._settled(without_facts(self.aggregates))

    def _aggregates(self) -> tuple[dict[str, Aggregate], dict[str, str]]:
        """Each column's aggregate over ``m_<measure>``, and its unit."""
        aggregates: dict[str, Aggregate] = {columns.COUNT: Count()}
        units = {columns.COUNT: self.fact.name}
        for each in self.definition.measures:
            if each.name is not None:
                aggregates[each.column] = aggregate_of(each.aggregate, f"m_{each.name}")
                units[each.column] = columns.unit_of(self.fact, each)
                aggregates[columns.n_of(each)] = Count(f"m_{each.name}")
                units[columns.n_of(each)] = self.fact.name
        return aggregates, units

    def facts(self) -> QuerySet:
        """The facts of the scope to which the conditions apply."""
        rows, where = self.fact.rows(self.scope), self.definition.where
        if where is None:
            return rows
        rows = aliased(rows, self.fact, where, self.now)
        return rows.filter(compile(where, CONDITIONS[self.fact.name], self.context))

    def within(self, period: Period) -> QuerySet:
        """Those that count in ``period``, with what is measured of them."""
        field = self.moment.field
        rows = self.facts().filter(self.moment.known, **{f"{field}__gte": period.start, f"{field}__lt": period.end})
        measured = {each.name for each in self.definition.measures if each.name is not None}
        return rows.annotate(**{f"m_{name}": self.fact.measure(name).expression(self.now) for name in measured})

    def cells(self, period: Period) -> tuple[Cells, Row, int]:
        """Figures by bucket and words, over all facts, and how many facts there are."""
        rows = self.within(period)
        grouped = rows.annotate(**{f"g_{each.name}": each.expression for each in self.dimensions})
        by = [f"g_{each.name}" for each in self.dimensions]
        if self.is_over_time:
            grouped = grouped.annotate(g_bucket=BucketIndex(self.moment.field, period.edges))
            by = ["g_bucket", *by]
        try:
            summary = summarise(grouped, by=by, measures=self.aggregates, most_groups=self.most_rows)
        except TooManyGroups as error:
            raise TooLarge(
                f"The report would have more than {error.most:,} rows.",
                "Group by less, or choose a larger bucket or a shorter period.",
            ) from None
        if any(each.is_many for each in self.dimensions):
            # Facts with several values are in several groups: over all, each counts once.
            total = summarise(rows, measures=self.aggregates).total
        else:
            total = summary.total
        cells: Cells = {}
        for group, values in summary.groups.items():
            bucket, values_of_group = (group[0], group[1:]) if self.is_over_time else (None, group)
            words = (each.word(value) for each, value in zip(self.dimensions, values_of_group, strict=True))
            cells[(bucket, *words)] = self._settled(values)
        n = total[columns.COUNT]
        assert isinstance(n, int)
        return cells, self._settled(total), n

    @property
    def most_rows(self) -> int:
        width = len([column for column in columns.of(self.definition) if column.role in ("measure", "n")])
        return MOST_CELLS // max(1, width)

    def _settled(self, values: Mapping[str, Exact | None]) -> Row:
        return {name: settled(value, self.units[name]) for name, value in values.items()}

    def rows(self, cells: Cells, shown: Sequence[str], empty: Row) -> list[Row]:
        """A row with the figures ``shown`` for each cell; over time alone one for each bucket, ``empty`` or not."""
        if not self.dimensions and not self.is_over_time:
            return []
        if not self.dimensions:
            cells = {(index,): cells.get((index,), empty) for index in range(len(self.period.buckets))}
        names = [each.name for each in self.dimensions]
        rows = []
        for (bucket, *words), cell in cells.items():
            row: Row = bucket_row(self.period.buckets[bucket], self.now) if self.is_over_time else {}
            row |= dict(zip(names, words, strict=True))
            rows.append(row | {name: cell[name] for name in shown})
        return rows

    def naming_of_total(self) -> Row:
        """What stands in the total where rows have their bucket and words."""
        names: Row = total_row(self.period, self.now) if self.is_over_time else {}
        return names | dict.fromkeys(self.definition.by)

    def words(self, rows: Sequence[Row]) -> dict[str, Mapping[Any, str]]:
        """What people read for the words of ``rows``."""
        return {each.name: each.labels({row[each.name] for row in rows}) for each in self.dimensions}

    def notes(self, total: Row, n: int) -> list[str]:
        """What the figures leave out."""
        notes = []
        moment = self.moment
        if moment.unknown is not None:
            ahead = Q(**{f"{moment.field}__lt": self.period.end})
            unknown = self.facts().filter(moment.where & moment.unknown & ahead).count()
            if unknown:
                verb = "is" if unknown == 1 else "are"
                notes.append(f"{unknown:,} {moment.words} at an unknown time {verb} in no figure.")
        for each in self.definition.measures:
            if each.name is not None and (known := total[columns.n_of(each)]) < n:
                measure = self.fact.measure(each.name)
                if measure.unit == SECONDS:
                    notes += on_durations(known, n, measure.label.lower(), which=moment.words)
                else:
                    notes.append(f"{measure.label}: known for {known:,} of {n:,}; the others are not in it.")
        for dimension in self.dimensions:
            if dimension.is_many:
                notes.append(f"{dimension.label}: each counts once for every one it has; the total counts it once.")
        return list(dict.fromkeys(notes))


def _compared(cell: Row | None, earlier: Row | None, nothing: Row) -> Row:
    """A cell with the figures of the period before, and by how many percent each has changed."""
    now, before = cell or nothing, earlier or nothing
    row = dict(now)
    for name, value in before.items():
        row[f"{name}{columns.PREVIOUS}"] = value
        row[f"{name}{columns.CHANGE}"] = _change(now[name], value)
    return row


def _change(now: Any, before: Any) -> float | None:
    if now is None or not before:
        return None
    return round(100 * (float(now) - float(before)) / abs(float(before)), 2)


def _in_order(rows: Sequence[Row], order: Sequence[str], grouped_by: Sequence[Dimension]) -> list[Row]:
    """Sorted as asked, then by time and by words: rows that are equal otherwise keep one order."""
    dimensions = {each.name: each for each in grouped_by}

    def by_name(row: Row) -> tuple:
        when = (row["starts_at"],) if "starts_at" in row else ()
        return (*when, *(dimension.place(row[name]) for name, dimension in dimensions.items()))

    rows = sorted(rows, key=by_name)
    # Stable sorts, the last key first; without a value always at the end.
    for text in reversed(order):
        name, down = text.removeprefix("-"), text.startswith("-")
        filled = [row for row in rows if row[name] is not None]
        filled.sort(
            key=lambda row: dimensions[name].place(row[name]) if name in dimensions else row[name],
            reverse=down,
        )
        rows = filled + [row for row in rows if row[name] is None]
    return rows
