"""What can be counted, and how: facts (one row each), and measures over them (count, sum, average, percentile).

**Facts** are querysets; each says what one row of it is and at what time it counts.
**Measures** are computed by the database; no row of a fact is read into Python.

*Percentiles* are continuous with linear interpolation (Hyndman & Fan 1996, type 7): over the sorted values
``v[0] … v[n-1]`` the percentile ``p`` lies at position ``x = p · (n − 1)`` and is
``v[⌊x⌋] + (x − ⌊x⌋) · (v[⌊x⌋+1] − v[⌊x⌋])``. That is PostgreSQL's ``percentile_cont`` and NumPy's default; SQLite gets
the same by picking the two neighbours from an index over the values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Max, Min, OuterRef, QuerySet, Subquery

from reports.periods import Period
from reports.scopes import Scope
from reports.sql import BucketIndex, Instant, Seconds, Word
from tasks.events import kinds
from tasks.models import Event, Project, Run, Task
from tasks.transitions import Status

# Facts


def completions(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each entry of a task into *completed* that happened here, at the time it happened: its event.

    A task that was reopened and completed again is there twice.
    """
    moves = scope.of_project(Event.objects.all()).filter(kind=kinds.TASK_STATUS_CHANGED, at__gte=period.start)
    return moves.filter(at__lt=period.end).alias(to=Word("data", "to")).filter(to=Status.COMPLETED)


def imported_completions(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each completion that happened elsewhere, at its real time (``completed``): told by the ``task.imported`` event.

    The importer writes one such event per task, with the status and the ``completed_at`` of the file. No event of a
    change of status exists for it, so nothing is counted twice; and as it is an event, it stays when the task is
    reopened here or deleted.
    """
    # A file tells the past (up to a day ahead, as clocks differ): what came in earlier cannot lie in the period.
    since = period.start - timedelta(days=1)
    imports = scope.of_project(Event.objects.all()).filter(kind=kinds.TASK_IMPORTED, at__gte=since)
    return (
        imports.alias(status=Word("data", "status"))
        .filter(status=Status.COMPLETED)
        .annotate(completed=Instant(Word("data", "completed_at")))
        .filter(completed__gte=period.start, completed__lt=period.end)
    )


def completed_tasks(scope: Scope, period: Period) -> "QuerySet[Task]":
    """Each task whose last completion lies in the period, imported ones included; with two durations in seconds.

    ``lead``: created → last completion. ``cycle``: first start → last completion; NULL where no start is known.
    """
    tasks = scope.of_project(Task.objects.all()).filter(completed_at__gte=period.start, completed_at__lt=period.end)
    return tasks.annotate(lead=Seconds("created_at", "completed_at"), cycle=Seconds("started_at", "completed_at"))


def first_and_last_completion(scope: Scope) -> tuple[datetime | None, datetime | None]:
    """When a task of the scope was completed first and last, by the last completion of each; None for never."""
    done = Task.objects.filter(project=OuterRef("pk"), completed_at__isnull=False).order_by("completed_at")
    # A look into the index per project, where the minimum over all would read every completion.
    ends = Project.objects.filter(pk__in=scope.project_ids).annotate(
        first=Subquery(done.values("completed_at")[:1]), last=Subquery(done.reverse().values("completed_at")[:1])
    )
    found = ends.aggregate(a=Min("first"), b=Max("last"))
    return found["a"], found["b"]


def runs_in(scope: Scope, period: Period) -> "QuerySet[Run]":
    """Each run that was active at some time of the period."""
    runs = Run.objects.filter(started_at__lt=period.end).exclude(ended_at__lte=period.start)
    return scope.of_task(runs)


def bucket(field: str, period: Period) -> BucketIndex:
    """The position in ``period.buckets`` of the bucket that the time ``field`` falls into."""
    return BucketIndex(field, period.edges)


# Measures


@dataclass(frozen=True, slots=True)
class Count:
    """How many facts have a value in ``column``."""

    column: str


@dataclass(frozen=True, slots=True)
class Average:
    """The arithmetic mean of ``column``; None without values."""

    column: str


@dataclass(frozen=True, slots=True)
class Percentile:
    """The ``fraction`` percentile (0 to 1) of ``column``, as defined above; None without values."""

    column: str
    fraction: float


Measure = Count | Average | Percentile
Values = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """Measures by group, and over all facts together. A group without facts is not there."""

    groups: dict[Any, Values]
    total: Values


def summarise(facts: QuerySet, *, by: str, measures: Mapping[str, Measure]) -> Summary:
    """Measure ``facts`` once per value of the column ``by`` and once over all.

    ``facts``: a queryset whose annotations and fields include ``by`` and the columns of the measures.
    """
    columns = list(dict.fromkeys(measure.column for measure in measures.values()))
    connection = connections[facts.db]
    compiler = facts.order_by().values_list(by, *columns).query.get_compiler(using=facts.db)
    nothing = {name: 0 if isinstance(measure, Count) else None for name, measure in measures.items()}
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return Summary(groups={}, total=nothing)
    aliases = ["grp", *(f"c{index}" for index in range(len(columns)))]
    source = f"facts ({', '.join(aliases)}) AS ({sql})"
    of = dict(zip(columns, aliases[1:], strict=True))
    summarise_on = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with connection.cursor() as cursor:
        found = dict(summarise_on(cursor, source, params, of, measures))
    return Summary(total=found.pop(_ALL, nothing), groups=found)


_ALL = object()
Found = Iterator[tuple[Any, Values]]


def _on_postgresql(
    cursor: Any, source: str, params: Sequence[Any], of: Mapping[str, str], measures: Mapping[str, Measure]
) -> Found:
    """``percentile_cont`` for all groups, and for all facts as one more grouping set."""
    selected, extra = [], []
    for measure in measures.values():
        alias = of[measure.column]
        match measure:
            case Count():
                selected.append(f"COUNT({alias})")
            case Average():
                selected.append(f"AVG({alias})")
            case Percentile(fraction=fraction):
                selected.append(f"PERCENTILE_CONT(%s) WITHIN GROUP (ORDER BY {alias})")
                extra.append(fraction)
    cursor.execute(
        f"WITH {source} SELECT GROUPING(grp), grp, {', '.join(selected)} FROM facts"  # noqa: S608 - names are ours
        " GROUP BY GROUPING SETS ((grp), ())",
        [*params, *extra],
    )
    for is_total, group, *values in cursor.fetchall():
        yield (_ALL if is_total else group), dict(zip(measures, values, strict=True))


def _on_sqlite(
    cursor: Any, source: str, params: Sequence[Any], of: Mapping[str, str], measures: Mapping[str, Measure]
) -> Found:
    """The facts in a temporary table, whose indexes hand out the values at any rank.

    Half the time of ``ROW_NUMBER`` over a common table expression, which sorts just as often but carries every row
    through the window. The table is this connection's own and writes nothing to the database.
    """
    cursor.execute("DROP TABLE IF EXISTS temp.report_facts")
    cursor.execute(f"CREATE TEMP TABLE report_facts AS WITH {source} SELECT * FROM facts", params)  # noqa: S608
    try:
        return iter(list(_from_table(cursor, of, measures)))
    finally:
        cursor.execute("DROP TABLE temp.report_facts")


def _from_table(cursor: Any, of: Mapping[str, str], measures: Mapping[str, Measure]) -> Found:
    sums = ", ".join(f"COUNT({alias}), TOTAL({alias})" for alias in of.values())
    cursor.execute(f"SELECT grp, {sums} FROM temp.report_facts GROUP BY grp")  # noqa: S608 - names are ours
    counted: dict[Any, dict[str, tuple[int, float]]] = {}
    for group, *numbers in cursor.fetchall():
        counted[group] = dict(zip(of.values(), zip(numbers[::2], numbers[1::2], strict=True), strict=True))
    counted[_ALL] = {
        alias: (sum(one[alias][0] for one in counted.values()), sum(one[alias][1] for one in counted.values()))
        for alias in of.values()
    }
    found: dict[Any, Values] = {group: {} for group in counted}
    for alias in of.values():
        wanted = {name: measure for name, measure in measures.items() if of[measure.column] == alias}
        fractions = {name: measure.fraction for name, measure in wanted.items() if isinstance(measure, Percentile)}
        for group, by_alias in counted.items():
            count, total = by_alias[alias]
            for name, measure in wanted.items():
                match measure:
                    case Count():
                        found[group][name] = count
                    case Average():
                        found[group][name] = total / count if count else None
        if fractions:
            counts = {group: by_alias[alias][0] for group, by_alias in counted.items()}
            for group, name, value in _percentiles(cursor, alias, counts, fractions):
                found[group][name] = value
    yield from found.items()


def _percentiles(
    cursor: Any, alias: str, counts: Mapping[Any, int], fractions: Mapping[str, float]
) -> Iterator[tuple[Any, str, float | None]]:
    """(group, name, value) for every group of ``counts`` and every one of ``fractions``."""
    for columns, groups in ((f"grp, {alias}", [one for one in counts if one is not _ALL]), (alias, [_ALL])):
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
