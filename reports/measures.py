"""What can be counted, and how: facts (one row each), and measures over them (count, sum, average, percentile).

**Facts** are querysets; each says what one row of it is and at what time it counts.
**Measures** are computed by the database in one statement; no row of a fact is read into Python.

*Percentiles* are continuous with linear interpolation (Hyndman & Fan 1996, type 7): over the sorted values
``v[0] … v[n-1]`` the percentile ``p`` lies at position ``x = p · (n − 1)`` and is
``v[⌊x⌋] + (x − ⌊x⌋) · (v[⌊x⌋+1] − v[⌊x⌋])``. That is PostgreSQL's ``percentile_cont`` and NumPy's default; SQLite gets
the same by ranking the values with ``ROW_NUMBER`` and picking the two neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from reports.periods import Period
from reports.scopes import Scope
from reports.sql import BucketIndex, Instant, Seconds, Word
from tasks.models import Event, Run, Task
from tasks.transitions import Status

# Facts


def completions(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each entry of a task into *completed* that happened here, at the time it happened: its event.

    A task that was reopened and completed again is there twice.
    """
    moves = scope.of_project(Event.objects.all()).filter(kind="task.status_changed", at__gte=period.start)
    return moves.filter(at__lt=period.end).alias(to=Word("data", "to")).filter(to=Status.COMPLETED)


def imported_completions(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each completion that happened elsewhere, at its real time (``completed``): told by the ``task.imported`` event.

    The importer writes one such event per task, with the status and the ``completed_at`` of the file. No event of a
    change of status exists for it, so nothing is counted twice; and as it is an event, it stays when the task is
    reopened here or deleted.
    """
    # A file tells the past (up to a day ahead, as clocks differ): what came in earlier cannot lie in the period.
    since = period.start - timedelta(days=1)
    imports = scope.of_project(Event.objects.all()).filter(kind="task.imported", at__gte=since)
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
    """Measure ``facts`` once per value of the column ``by`` and once over all, in one statement.

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


def _position(fraction: float, count: int) -> tuple[int, float]:
    """Index of the lower neighbour, and the way from it to the upper one (0 up to 1)."""
    place = fraction * (count - 1)
    return int(place), place - int(place)


def _on_sqlite(
    cursor: Any, source: str, params: Sequence[Any], of: Mapping[str, str], measures: Mapping[str, Measure]
) -> Found:
    """Counts and averages per group, and of the ranked values only those that a percentile lies between.

    Every row of the one statement is (is total, group, column, rank, value, count, average); rank −1 carries the
    last two, all others a value.
    """
    fractions: dict[str, list[float]] = {alias: [] for alias in of.values()}
    for measure in measures.values():
        if isinstance(measure, Percentile):
            fractions[of[measure.column]].append(measure.fraction)
    tables, selects, extra = [source], [], []
    for alias, wanted in fractions.items():
        for is_total, group, partition in ((0, "grp", "PARTITION BY grp "), (1, "NULL", "")):
            sizes = f"{alias}_sizes_{is_total}"
            tables.append(
                f"{sizes} AS (SELECT {group} AS grp, COUNT({alias}) AS n, AVG({alias}) AS mean FROM facts"  # noqa: S608
                f"{' GROUP BY 1' if partition else ''})"
            )
            selects.append(f"SELECT {is_total}, grp, '{alias}', -1, NULL, n, mean FROM {sizes}")  # noqa: S608
            if not wanted:
                continue
            ranks = f"{alias}_ranks_{is_total}"
            tables.append(
                f"{ranks} AS (SELECT {group} AS grp, {alias} AS v,"  # noqa: S608
                f" ROW_NUMBER() OVER ({partition}ORDER BY {alias}) - 1 AS r FROM facts WHERE {alias} IS NOT NULL)"
            )
            lower = "CAST(%s * (n - 1) AS INTEGER)"
            picked = ", ".join(f"{lower}, {lower} + 1" for _ in wanted)
            selects.append(
                f"SELECT {is_total}, {ranks}.grp, '{alias}', r, v, NULL, NULL FROM {ranks}"  # noqa: S608
                f" JOIN {sizes} ON {sizes}.grp IS {ranks}.grp WHERE r IN ({picked})"
            )
            extra += [fraction for fraction in wanted for _ in range(2)]
    cursor.execute(f"WITH {', '.join(tables)} {' UNION ALL '.join(selects)}", [*params, *extra])
    counts: dict[Any, dict[str, tuple[int, float | None]]] = {}
    ranked: dict[tuple[Any, str], dict[int, float]] = {}
    for is_total, group, alias, rank, value, count, mean in cursor.fetchall():
        key = _ALL if is_total else group
        if rank < 0:
            counts.setdefault(key, {})[alias] = (count, mean)
        else:
            ranked.setdefault((key, alias), {})[rank] = value
    for key, by_alias in counts.items():
        values: Values = {}
        for name, measure in measures.items():
            alias = of[measure.column]
            count, mean = by_alias[alias]
            match measure:
                case Count():
                    values[name] = count
                case Average():
                    values[name] = mean
                case Percentile(fraction=fraction) if count:
                    rank, way = _position(fraction, count)
                    low = ranked[key, alias][rank]
                    high = ranked[key, alias].get(rank + 1, low)
                    values[name] = low + (high - low) * way
                case Percentile():
                    values[name] = None
        yield key, values
