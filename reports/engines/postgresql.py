"""PostgreSQL: ``percentile_cont``, and grouping sets for the total."""

from collections.abc import Sequence
from typing import Any

from reports.engines.source import SQL, Counts, Source, TooManyGroups
from reports.measures import Counted


def count(cursor: Any, source: Source) -> Counts:
    """All groups, and all facts as an additional grouping set."""
    selected, extra = ["COUNT(*)"], []
    for column, alias in source.alias.items():
        selected += [SQL[name].format(alias) for name in source.functions(column)]
        if fractions := source.fractions.get(column):
            selected.append(f"PERCENTILE_CONT(%s::float8[]) WITHIN GROUP (ORDER BY {alias})")
            extra.append(list(fractions))
    groups = ", ".join(source.groups)
    is_total, sets = (f"GROUPING({groups})", f"({groups}), ()") if groups else ("1", "()")
    named = f"{groups}, " if groups else ""
    cursor.execute(
        f"WITH {source.sql} SELECT {is_total}, {named}{', '.join(selected)} FROM facts"  # noqa: S608 - names are ours
        f" GROUP BY GROUPING SETS ({sets})",
        [*source.params, *extra],
    )
    width = len(source.groups)
    counted_by: dict[tuple, Counted] = {}
    total = Counted()
    while rows := cursor.fetchmany(2_000):
        for is_whole, *row in rows:
            counted = _counted(source, row[width:])
            if is_whole:
                total = counted
            else:
                counted_by[tuple(row[:width])] = counted
        if source.most is not None and len(counted_by) > source.most:
            raise TooManyGroups(source.most)
    return Counts(counted_by, total)


def _counted(source: Source, row: Sequence[Any]) -> Counted:
    facts, *rest = row
    values = iter(rest)
    tallies = {}
    for column in source.alias:
        numbers = [next(values) for _ in source.functions(column)]
        fractions = source.fractions.get(column)
        percentiles = dict(zip(fractions, next(values) or [], strict=False)) if fractions else {}
        tallies[column] = source.tally(column, numbers, percentiles)
    return Counted(facts, tallies)
