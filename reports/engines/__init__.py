"""Computing measures over facts. How depends on what the database can do, so each has its own engine.

An engine takes an open cursor, a ``Source`` and the measures by name, and returns their ``Summary``.
"""

from collections.abc import Mapping

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from reports.engines import postgresql, sqlite
from reports.engines.source import Source
from reports.measures import Measure, Summary, without_facts

ENGINES = {"postgresql": postgresql.summarise, "sqlite": sqlite.summarise}


def summarise(facts: QuerySet, *, by: str, measures: Mapping[str, Measure]) -> Summary:
    """Measure ``facts`` once per value of the column ``by``, and once over all.

    ``facts``: a queryset whose annotations and fields include ``by`` and the columns of the measures.
    """
    columns = list(dict.fromkeys(measure.column for measure in measures.values()))
    connection = connections[facts.db]
    compiler = facts.order_by().values_list(by, *columns).query.get_compiler(using=facts.db)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return Summary(groups={}, total=without_facts(measures))
    aliases = [f"c{index}" for index in range(len(columns))]
    source = Source(
        f"facts ({', '.join(['grp', *aliases])}) AS ({sql})", params, dict(zip(columns, aliases, strict=True))
    )
    with connection.cursor() as cursor:
        return ENGINES[connection.vendor](cursor, source, measures)
