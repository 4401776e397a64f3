"""Aggregating facts: the one boundary between reports and what computes them.

How depends on what the database can do, so each has its own engine. An engine takes an open cursor and a ``Source``,
and returns ``Counts``. Another one that does so can take its place in ``ENGINES``: docs/report-engines.md.
"""

from collections.abc import Mapping, Sequence

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from reports.engines import postgresql, sqlite
from reports.engines.source import Source, TooManyGroups
from reports.measures import (
    Aggregate,
    Average,
    Count,
    Distinct,
    Greatest,
    Least,
    Percentile,
    Sum,
    Summary,
    without_facts,
)

__all__ = ["TooManyGroups", "summarise"]

#: Aggregates over a column that need the number of its values.
NEED_THEIR_NUMBER = (Count, Average, Percentile)
ENGINES = {"postgresql": postgresql.count, "sqlite": sqlite.count}


def summarise(
    facts: QuerySet, *, by: Sequence[str] = (), measures: Mapping[str, Aggregate], most_groups: int | None = None
) -> Summary:
    """Measure ``facts`` once per combination of the columns ``by``, and once over all.

    ``facts``: a queryset whose annotations and fields include ``by`` and the columns of the measures, which hold whole
    numbers. The groups are tuples of the values of ``by``. Raises ``TooManyGroups`` if there are more than
    ``most_groups``.
    """
    try:
        source = source_of(facts, by=by, measures=measures, most_groups=most_groups)
    except EmptyResultSet:
        return Summary(groups={}, total=without_facts(measures))
    connection = connections[facts.db]
    with connection.cursor() as cursor:
        counted = ENGINES[connection.vendor](cursor, source)
    return Summary(
        groups={
            group: {name: counts.read(measure) for name, measure in measures.items()}
            for group, counts in counted.groups.items()
        },
        total={name: counted.total.read(measure) for name, measure in measures.items()},
    )


def source_of(
    facts: QuerySet, *, by: Sequence[str] = (), measures: Mapping[str, Aggregate], most_groups: int | None = None
) -> Source:
    """What ``summarise`` gives to the engine. Raises ``EmptyResultSet`` if Django sees that there are no facts."""
    columns = list(dict.fromkeys(measure.column for measure in measures.values() if measure.column is not None))
    # Without any column a queryset would select all of them.
    selected = [*by, *columns] or ["pk"]
    sql, params = facts.order_by().values_list(*selected).query.get_compiler(using=facts.db).as_sql()
    groups = [f"g{index}" for index in range(len(by))]
    aliases = [f"c{index}" for index in range(len(selected) - len(by))]
    fractions: dict[str, list[float]] = {}
    for measure in measures.values():
        if isinstance(measure, Percentile) and measure.fraction not in fractions.setdefault(measure.column, []):
            fractions[measure.column].append(measure.fraction)
    return Source(
        sql=f"facts ({', '.join([*groups, *aliases])}) AS ({sql})",
        params=params,
        groups=groups,
        alias=dict(zip(columns, aliases, strict=False)),
        fractions=fractions,
        counted={each.column for each in measures.values() if each.column and isinstance(each, NEED_THEIR_NUMBER)},
        sums={measure.column for measure in measures.values() if isinstance(measure, Sum | Average)},
        extremes={measure.column for measure in measures.values() if isinstance(measure, Least | Greatest)},
        distinct={measure.column for measure in measures.values() if isinstance(measure, Distinct)},
        most=most_groups,
    )
