"""SQLite: the facts in a temporary table, whose indexes give the values at any rank.

Takes half the time of ``ROW_NUMBER`` over a common table expression, which sorts just as often but carries every row
through the window. The table belongs to this connection and writes nothing to the database.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reports.engines.source import Source
from reports.measures import Average, Count, Measure, Percentile, Summary, Values

_ALL = object()


def summarise(cursor: Any, source: Source, measures: Mapping[str, Measure]) -> Summary:
    """Count and add up by group, then pick the percentiles."""
    cursor.execute("DROP TABLE IF EXISTS temp.report_facts")
    cursor.execute(
        f"CREATE TEMP TABLE report_facts AS WITH {source.sql} SELECT * FROM facts",  # noqa: S608 - names are ours
        source.params,
    )
    try:
        values = _from_table(cursor, source.alias, measures)
    finally:
        cursor.execute("DROP TABLE temp.report_facts")
    total = values.pop(_ALL)
    return Summary(values, total)


def _from_table(cursor: Any, of: Mapping[str, str], measures: Mapping[str, Measure]) -> dict[Any, Values]:
    sums = ", ".join(f"COUNT({alias}), TOTAL({alias})" for alias in of.values())
    cursor.execute(f"SELECT grp, {sums} FROM temp.report_facts GROUP BY grp")  # noqa: S608 - names are ours
    counted: dict[Any, dict[str, tuple[int, float]]] = {}
    for group, *numbers in cursor.fetchall():
        counted[group] = dict(zip(of.values(), zip(numbers[::2], numbers[1::2], strict=True), strict=True))
    counted[_ALL] = {
        alias: (sum(row[alias][0] for row in counted.values()), sum(row[alias][1] for row in counted.values()))
        for alias in of.values()
    }
    values: dict[Any, Values] = {group: {} for group in counted}
    for alias in of.values():
        wanted = {name: measure for name, measure in measures.items() if of[measure.column] == alias}
        fractions = {name: measure.fraction for name, measure in wanted.items() if isinstance(measure, Percentile)}
        for group, by_alias in counted.items():
            count, total = by_alias[alias]
            for name, measure in wanted.items():
                match measure:
                    case Count():
                        values[group][name] = count
                    case Average():
                        values[group][name] = total / count if count else None
        if fractions:
            counts = {group: by_alias[alias][0] for group, by_alias in counted.items()}
            for group, name, value in _percentiles(cursor, alias, counts, fractions):
                values[group][name] = value
    return values


def _percentiles(
    cursor: Any, alias: str, counts: Mapping[Any, int], fractions: Mapping[str, float]
) -> Iterator[tuple[Any, str, float | None]]:
    """(group, name, value) for every group of ``counts`` and every one of ``fractions``."""
    for columns, groups in ((f"grp, {alias}", [group for group in counts if group is not _ALL]), (alias, [_ALL])):
        cursor.execute(f"CREATE INDEX temp.report_ranks ON report_facts ({columns})")
        for group in groups:
            for name, fraction in fractions.items():
                if not counts[group]:
                    yield group, name, None
                    continue
                place = fraction * (counts[group] - 1)
                which, params = ("", []) if group is _ALL else (" AND grp IS %s", [group])
                cursor.execute(
                    f"SELECT {alias} FROM temp.report_facts WHERE {alias} IS NOT NULL{which}"  # noqa: S608
                    f" ORDER BY {alias} LIMIT 2 OFFSET %s",
                    [*params, int(place)],
                )
                neighbours = [value for (value,) in cursor.fetchall()]
                low, high = neighbours[0], neighbours[-1]
                yield group, name, low + (high - low) * (place - int(place))
        cursor.execute("DROP INDEX temp.report_ranks")
