"""PostgreSQL: ``percentile_cont``, and grouping sets for the total."""

from collections.abc import Mapping
from typing import Any

from reports.engines.source import Source
from reports.measures import Average, Count, Measure, Percentile, Summary, Values, without_facts


def summarise(cursor: Any, source: Source, measures: Mapping[str, Measure]) -> Summary:
    """All groups, and all facts as an additional grouping set."""
    selected, extra = [], []
    for measure in measures.values():
        alias = source.alias[measure.column]
        match measure:
            case Count():
                selected.append(f"COUNT({alias})")
            case Average():
                selected.append(f"AVG({alias})")
            case Percentile(fraction=fraction):
                selected.append(f"PERCENTILE_CONT(%s) WITHIN GROUP (ORDER BY {alias})")
                extra.append(fraction)
    cursor.execute(
        f"WITH {source.sql} SELECT GROUPING(grp), grp, {', '.join(selected)} FROM facts"  # noqa: S608 - names are ours
        " GROUP BY GROUPING SETS ((grp), ())",
        [*source.params, *extra],
    )
    groups: dict[Any, Values] = {}
    total = without_facts(measures)
    for is_total, group, *numbers in cursor.fetchall():
        values = dict(zip(measures, numbers, strict=True))
        if is_total:
            total = values
        else:
            groups[group] = values
    return Summary(groups, total)
