"""SQLite: one pass for counts and sums; for percentiles the facts go into a temporary table, whose indexes give the
values at any rank.

That takes half the time of ``ROW_NUMBER`` over a common table expression, which sorts just as often but carries every
row through the window. The table belongs to this connection and writes nothing to the database.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reports.engines.source import SQL, Counts, Source, TooManyGroups
from reports.measures import Counted, Group, Tally

_TABLE = "temp.report_facts"
_ROWS = 2_000


def count(cursor: Any, source: Source) -> Counts:
    """Count and add up by group, then pick the percentiles."""
    if not source.fractions and not source.distinct:
        groups = _tallied(cursor, source, f"WITH {source.sql}", "facts", source.params)
        return _counts(groups, _together(groups.values(), source.alias), {})
    cursor.execute(f"DROP TABLE IF EXISTS {_TABLE}")
    cursor.execute(
        f"CREATE TEMP TABLE report_facts AS WITH {source.sql} SELECT * FROM facts",  # noqa: S608 - names are ours
        source.params,
    )
    try:
        groups = _tallied(cursor, source, "", _TABLE, ())
        total = _together(groups.values(), source.alias)
        if source.distinct and groups:
            # What is different within groups may be the same in several of them.
            (total,) = _tallied(cursor, replace(source, groups=()), "", _TABLE, ()).values()
        whole = {None: total}
        percentiles: dict[tuple[Group | None, str], dict[float, float]] = {}
        for column, fractions in source.fractions.items():
            alias = source.alias[column]
            for keys, counted in ((source.groups, groups), ((), whole)):
                if keys or counted is whole:
                    counts = {group: each.of[column].count for group, each in counted.items()}
                    for group, fraction, value in _percentiles(cursor, keys, alias, counts, fractions):
                        percentiles.setdefault((group, column), {})[fraction] = value
        return _counts(groups, total, percentiles)
    finally:
        cursor.execute(f"DROP TABLE {_TABLE}")


def _tallied(cursor: Any, source: Source, start: str, table: str, params: Sequence[Any]) -> dict[Group, Counted]:
    """Each group, without its percentiles; without columns to group by, all facts are one group."""
    of_columns = [
        SQL[name].format(alias) for column, alias in source.alias.items() for name in source.functions(column)
    ]
    selected = ", ".join([*source.groups, "COUNT(*)", *of_columns])
    grouped = f" GROUP BY {', '.join(source.groups)}" if source.groups else ""
    cursor.execute(f"{start} SELECT {selected} FROM {table}{grouped}", params)  # noqa: S608 - names are ours
    width = len(source.groups)
    groups: dict[Group, Counted] = {}
    while rows := cursor.fetchmany(_ROWS):
        for row in rows:
            facts, *rest = row[width:]
            values = iter(rest)
            tallies = {
                column: source.tally(column, [next(values) for _ in source.functions(column)], {})
                for column in source.alias
            }
            groups[tuple(row[:width])] = Counted(facts, tallies)
        if source.most is not None and width and len(groups) > source.most:
            raise TooManyGroups(source.most)
    return groups


def _together(groups: Any, columns: Mapping[str, str]) -> Counted:
    """All facts, from those of each group."""
    tallies = {}
    for column in columns:
        each = [group.of[column] for group in groups]
        tallies[column] = Tally(
            sum(tally.count for tally in each),
            sum(tally.total for tally in each),
            min((tally.least for tally in each if tally.least is not None), default=None),
            max((tally.greatest for tally in each if tally.greatest is not None), default=None),
        )
    return Counted(sum(group.facts for group in groups), tallies)


def _counts(
    groups: Mapping[Group, Counted],
    total: Counted,
    percentiles: Mapping[tuple[Group | None, str], Mapping[float, float]],
) -> Counts:
    return Counts(
        {group: _with(counted, group, percentiles) for group, counted in groups.items() if group},
        _with(total, None, percentiles),
    )


def _with(
    counted: Counted, group: Group | None, percentiles: Mapping[tuple[Group | None, str], Mapping[float, float]]
) -> Counted:
    return Counted(
        counted.facts,
        {
            column: replace(tally, percentiles=percentiles.get((group, column), {}))
            for column, tally in counted.of.items()
        },
    )


def _percentiles(
    cursor: Any, keys: Sequence[str], alias: str, counts: Mapping[Any, int], fractions: Sequence[float]
) -> Iterator[tuple[Any, float, float]]:
    """(group, fraction, value) for every group of ``counts`` that has values, and every one of ``fractions``."""
    cursor.execute(f"CREATE INDEX temp.report_ranks ON report_facts ({', '.join([*keys, alias])})")
    which = "".join(f" AND {key} IS %s" for key in keys)
    for group, n in counts.items():
        for fraction in fractions if n else ():
            place = fraction * (n - 1)
            first = math.floor(place)
            cursor.execute(
                f"SELECT {alias} FROM {_TABLE} WHERE {alias} IS NOT NULL{which}"  # noqa: S608 - names are ours
                f" ORDER BY {alias} LIMIT 2 OFFSET %s",
                [*(group or ()), first],
            )
            neighbours = [value for (value,) in cursor.fetchall()]
            low, high = float(neighbours[0]), float(neighbours[-1])
            # The very operations of ``percentile_cont``, so that the doubles are the same.
            yield group, fraction, low + (place - first) * (high - low)
    cursor.execute("DROP INDEX temp.report_ranks")
