"""The board's content: the first tasks of each column and how many there are, at a cost independent of their number.

Each column of each project is read from an index in its own order, up to a few rows. What an assignee has and what has
the words of a search are named by their own indexes. If a condition has no index (a label, nobody assigned, a date), a
*window* of the column's first rows is searched, and the page says so where that is not all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.lookups import IsNull

from tasks.models import Agent, Assignment, AssignmentEnd, Priority, Project, Task
from tasks.transitions import TERMINAL, Status

SHOWN = 50
COUNTED = 1000
WINDOW = 2000
_SMALLEST_SHARE = 100
#: How many compiled SQL statements are cached: open boards repeat the same queries.
COMPILED = 512
#: What a row contains: enough to sort a column across projects.
_KEYS = ("status", "id", "project_id", "priority", "due_order", "completed_at")
#: Placeholder for a project's id in SQL that is compiled once for all projects; no condition has this number.
_ANY_PROJECT = -(2**63)

Sql = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Narrowing:
    """The reader's filters; empty values filter nothing. ``label_ids``: the projects' rows with any of ``labels``.

    ``searched`` and ``rest`` are what of the condition has no place of its own: a search for words, and all others.
    """

    assignee: Agent | None = None
    unassigned: bool = False
    priority: Priority | None = None
    labels: tuple[str, ...] = ()
    label_ids: tuple[int, ...] = ()
    searched: Q | None = None
    rest: Q | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether the SQL is the same each time: it depends on no moment and no reader."""
        return self.searched is None and self.rest is None

    def needs_window(self, status: Status) -> bool:
        """Whether no index gives the matching tasks of a column in its order."""
        by_priority = self.priority is not None and status == Status.COMPLETED
        return bool(self.unassigned or self.labels or self.rest is not None or by_priority)


@dataclass
class ColumnContent:
    """The first tasks of a column, in its order, and the total, counted up to ``COUNTED`` + 1.

    ``is_partial``: only a part of the column was searched, so there may be more. ``matching``: the ids of all that were
    found, where an index of something else than the column named them.
    """

    ids: list[int] = field(default_factory=list)
    count: int = 0
    is_partial: bool = False
    matching: list[int] = field(default_factory=list)

    @property
    def is_capped(self) -> bool:
        return self.count > COUNTED

    @property
    def is_empty(self) -> bool:
        return not self.count and not self.is_partial

    def more(self, rest: int) -> str:
        """``rest`` tasks that are not shown, in words; empty if there are none."""
        if rest <= 0:
            return ""
        return f"{rest} more, or more than that" if self.is_partial or self.is_capped else f"{rest} more"


def _ordered(status: Status) -> QuerySet[Task]:
    """A column in its order: claim order, or the latest first for completed tasks."""
    tasks = Task.objects.filter(status=status)
    if status == Status.COMPLETED:
        return tasks.filter(completed_at__isnull=False).order_by("-completed_at", "-pk")
    return tasks.in_claim_order()


_ALL = Narrowing()
_CLAIM_ORDER, _LATEST_FIRST = "priority DESC, due_order, id", "completed_at DESC, id DESC"


def _has(rows: QuerySet) -> Q:
    """That such rows exist, checked row by row: for an EXISTS PostgreSQL would hash the whole table here."""
    return Q(IsNull(Subquery(rows.values("pk")[:1]), False))


def _conditions(narrowing: Narrowing) -> Q:
    conditions = Q()
    if narrowing.priority is not None:
        conditions &= Q(priority=narrowing.priority)
    if narrowing.unassigned:
        conditions &= ~_has(Assignment.objects.active().filter(task=OuterRef("pk")))
    if narrowing.labels:
        conditions &= _has(
            Task.labels.through.objects.filter(task=OuterRef("pk"), label__in=narrowing.label_ids or [0])
        )
    if narrowing.rest is not None:
        conditions &= narrowing.rest
    return conditions


def _sql(queryset: QuerySet) -> Sql:
    sql, params = queryset.query.get_compiler(connection=connection).as_sql()
    return sql, tuple(params)


@lru_cache(maxsize=COMPILED)
def _kept_rows(status: Status, narrowing: Narrowing, share: int, shown: int) -> Sql:
    return _first_rows(status, narrowing, share, shown)


def _first_rows(status: Status, narrowing: Narrowing, share: int, shown: int) -> Sql:
    """The first ``shown`` rows of a column of one project; the last value of each is how many the window holds.

    ``share``: how many rows may be searched. Without a window the last value is meaningless.
    """
    column = _ordered(status).filter(project_id=_ANY_PROJECT)
    if not narrowing.needs_window(status):
        sql, params = _sql(column.filter(_conditions(narrowing)).values_list(*_KEYS)[:shown])
        return f"SELECT first.*, 0 FROM ({sql}) AS first", params  # noqa: S608 - Django's own SQL
    sql, params = _searched_window(column, narrowing, share)
    searched = f"SELECT {', '.join(_KEYS)}, COUNT(*) OVER () FROM ({sql}) AS searched WHERE hit"  # noqa: S608 - our names
    order = _LATEST_FIRST if status == Status.COMPLETED else _CLAIM_ORDER
    # SQLite allows no ORDER BY or LIMIT inside a compound, hence the wrapper.
    return f"SELECT * FROM ({searched} ORDER BY {order} LIMIT {shown}) AS first", params  # noqa: S608


def _searched_window(column: QuerySet[Task], narrowing: Narrowing, share: int) -> Sql:
    """The first ``share`` rows of ``column``, each with whether it is a ``hit``."""
    hit = ExpressionWrapper(_conditions(narrowing), output_field=BooleanField())
    return _sql(column.annotate(hit=hit).values_list(*_KEYS, "hit")[:share])


@lru_cache(maxsize=COMPILED)
def _counted(project_ids: tuple[int, ...], status: Status, narrowing: Narrowing, most: int) -> Sql:
    """The tasks of an indexed column, up to ``most`` + 1."""
    together = Task.objects.filter(status=status, project__in=project_ids)
    return _sql(together.filter(_conditions(narrowing)).order_by().values("id")[: most + 1])


def _count(project_ids: tuple[int, ...], status: Status, narrowing: Narrowing, most: int) -> Sql:
    """How many those are."""
    sql, params = _counted(project_ids, status, narrowing, most)
    return f"SELECT COUNT(*) FROM ({sql}) AS counted", params  # noqa: S608 - Django's own SQL


def _rows(sql: str, params: tuple[Any, ...]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _sorted_ids(status: Status, rows: list[tuple]) -> list[int]:
    if status == Status.COMPLETED:
        rows = sorted(rows, key=lambda row: (row[5], row[1]), reverse=True)
    else:
        rows = sorted(rows, key=lambda row: (-row[3], row[4], row[1]))
    return [row[1] for row in rows[:SHOWN]]


def _of_assignee(agent: Agent) -> tuple[set[int], bool, bool]:
    """One agent's tasks: the latest active assignments, and the latest that ended with a task.

    Returns whether there may be more open ones, and more ended ones, too.
    """
    assignments = Assignment.objects.filter(agent=agent).order_by("-pk").values_list("task_id", flat=True)
    open_ids = list(assignments.filter(ended_at__isnull=True)[:WINDOW])
    ended_ids = list(assignments.filter(ended_at__isnull=False, end_reason=AssignmentEnd.CLOSED)[:WINDOW])
    return {*open_ids, *ended_ids}, len(open_ids) == WINDOW, len(ended_ids) == WINDOW


def _searched(projects: Sequence[Project], narrowing: Narrowing) -> tuple[set[int], bool, bool]:
    """The latest tasks that have the words, and whether there may be more, open or ended."""
    matching = Task.objects.filter(project__in=projects).filter(narrowing.searched).order_by("-pk")
    ids = list(matching.values_list("pk", flat=True)[: WINDOW + 1])
    is_partial = len(ids) > WINDOW
    return set(ids[:WINDOW]), is_partial, is_partial


def _of_ids(
    projects: Sequence[Project], statuses: Sequence[Status], narrowing: Narrowing
) -> dict[Status, ColumnContent]:
    """Columns of the tasks that an index named beforehand: of an assignee, or with the words of a search."""
    if narrowing.assignee is not None:
        ids, more_open, more_ended = _of_assignee(narrowing.assignee)
        conditions = _conditions(narrowing) & (narrowing.searched or Q())
    else:
        ids, more_open, more_ended = _searched(projects, narrowing)
        conditions = _conditions(narrowing)
    of_projects = {project.pk for project in projects}
    rows: dict[str, list[tuple]] = {status: [] for status in statuses}
    for row in Task.objects.filter(pk__in=ids).filter(conditions).order_by().values_list(*_KEYS):
        if row[2] in of_projects and row[0] in rows:
            rows[row[0]].append(row)
    return {
        status: ColumnContent(
            _sorted_ids(status, rows[status]),
            len(rows[status]),
            more_ended if status in TERMINAL else more_open,
            [row[1] for row in rows[status]],
        )
        for status in statuses
    }


def _share(projects: Sequence[Project]) -> int:
    """How many rows of a column may be searched in each project."""
    return max(WINDOW // len(projects), _SMALLEST_SHARE)


def tasks_counted(
    projects: Sequence[Project], contents: Mapping[Status, ColumnContent], narrowing: Narrowing
) -> QuerySet[Task]:
    """The tasks that the counts of these columns, as ``read_columns`` gave them, are of."""
    if not projects:
        return Task.objects.none()
    if narrowing.assignee is not None or narrowing.searched is not None:
        return Task.objects.filter(pk__in=[pk for content in contents.values() for pk in content.matching])
    arms: list[Sql] = []
    share = _share(projects)
    for status in contents:
        if not narrowing.needs_window(status):
            sql, params = _counted(tuple(project.pk for project in projects), status, narrowing, COUNTED)
            arms.append((f"SELECT counted.id FROM ({sql}) AS counted", params))  # noqa: S608 - Django's own SQL
            continue
        for project in projects:
            sql, params = _searched_window(_ordered(status).filter(project=project), narrowing, share)
            arms.append((f"SELECT searched.id FROM ({sql}) AS searched WHERE hit", params))  # noqa: S608 - Django's own SQL
    ids = RawSQL(" UNION ALL ".join(sql for sql, _ in arms), tuple(value for _, values in arms for value in values))  # noqa: S611 - as above
    return Task.objects.filter(pk__in=ids)


def read_columns(
    projects: Sequence[Project], statuses: Sequence[Status], narrowing: Narrowing
) -> dict[Status, ColumnContent]:
    """The content of each column over ``projects``, filtered; at most ``SHOWN`` ids each, in two queries."""
    if not projects:
        return {status: ColumnContent() for status in statuses}
    if narrowing.assignee is not None or narrowing.searched is not None:
        return _of_ids(projects, statuses, narrowing)
    share = _share(projects)
    first_rows = _kept_rows if narrowing.is_lasting else _first_rows
    arms: list[str] = []
    params: list[Any] = []
    for status in statuses:
        sql, values = first_rows(status, narrowing, share, SHOWN)
        for project in projects:
            arms.append(sql)
            params += [project.pk if value == _ANY_PROJECT else value for value in values]
    rows: dict[str, list[tuple]] = {status: [] for status in statuses}
    for row in _rows(" UNION ALL ".join(arms), tuple(params)):
        rows[row[0]].append(row)
    ids = tuple(project.pk for project in projects)
    contents: dict[Status, ColumnContent] = {}
    parts: list[tuple[Status, bool, Sql]] = []
    for status in statuses:
        windowed = narrowing.needs_window(status)
        total = sum({row[2]: row[6] for row in rows[status]}.values()) if windowed else 0
        contents[status] = ColumnContent(_sorted_ids(status, rows[status]), total)
        # Of a window, how much there is to search in each project; otherwise, how much there is.
        if windowed:
            parts += [(status, windowed, _count((pk,), status, _ALL, share)) for pk in ids]
        else:
            parts.append((status, windowed, _count(ids, status, narrowing, COUNTED)))
    selects = ", ".join(f"({sql})" for _, _, (sql, _) in parts)
    numbers = _rows(f"SELECT {selects}", tuple(value for _, _, (_, values) in parts for value in values))[0]
    for (status, windowed, _), number in zip(parts, numbers, strict=True):
        if windowed:
            contents[status].is_partial |= number > share
        else:
            contents[status].count = number
    return contents
