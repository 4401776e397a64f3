"""What the board shows: the first tasks of each column and how many there are, at a cost that does not grow with them.

Each column of each project is read from an index in its own order and left after a few rows. Where a condition has no
such index (text, label, nobody assigned), a *window* of the column's first rows is searched and the page says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from tasks.models import Agent, Assignment, AssignmentEnd, Priority, Project, Task
from tasks.transitions import TERMINAL, Status

SHOWN = 50
COUNTED = 1000
WINDOW = 5000
#: What a key row holds; enough to sort a column that several projects share.
_KEYS = ("status", "pk", "project_id", "priority", "due_order", "completed_at")


@dataclass(frozen=True)
class Narrowing:
    """What the reader asked to see; empty values ask nothing. ``assignee`` None with ``unassigned``: nobody's tasks."""

    assignee: Agent | None = None
    unassigned: bool = False
    priority: Priority | None = None
    label: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.assignee or self.unassigned or self.priority or self.label or self.text)

    def needs_window(self, status: Status) -> bool:
        """Whether no index leads to the matching tasks of a column in its order."""
        by_priority = self.priority is not None and status == Status.COMPLETED
        return bool(self.unassigned or self.label or self.text or by_priority)


@dataclass
class ColumnContent:
    """The first tasks of a column, in its order, and the number of all, counted up to ``COUNTED``."""

    ids: list[int] = field(default_factory=list)
    count: int = 0
    windowed: bool = False

    @property
    def is_capped(self) -> bool:
        return self.count > COUNTED


def _ordered(status: Status) -> QuerySet[Task]:
    """A column in its order: claim order, and for what is completed the latest first."""
    tasks = Task.objects.filter(status=status)
    if status == Status.COMPLETED:
        return tasks.filter(completed_at__isnull=False).order_by("-completed_at", "-pk")
    return tasks.in_claim_order()


def _conditions(narrowing: Narrowing) -> Q:
    conditions = Q()
    if narrowing.priority is not None:
        conditions &= Q(priority=narrowing.priority)
    if narrowing.unassigned:
        counted = Assignment.objects.filter(task=OuterRef("pk")).filter(counts())
        conditions &= ~Q(Exists(counted))
    if narrowing.label:
        through = Task.labels.through.objects.filter(task=OuterRef("pk"), label__name=narrowing.label)
        conditions &= Q(Exists(through))
    if narrowing.text:
        conditions &= _text_condition(narrowing.text)
    return conditions


def _text_condition(text: str) -> Q:
    condition = Q(title__icontains=text)
    number = text.rpartition("-")[2]
    if number.isascii() and number.isdigit() and len(number) < 10:
        key = text.rpartition("-")[0]
        by_number = Q(number=int(number))
        condition |= by_number & Q(project__key=key.upper()) if key else by_number
    return condition


def counts() -> Q:
    """The assignments a task shows: the active ones, and those that ended together with it."""
    return Q(ended_at__isnull=True) | Q(end_reason=AssignmentEnd.CLOSED)


def _arm(project: Project, status: Status, narrowing: Narrowing, share: int) -> QuerySet[Task]:
    """A column of one project, narrowed; ``share`` is how many rows of it may be searched."""
    column = _ordered(status).filter(project=project)
    if narrowing.needs_window(status):
        searched = column.values("pk")[:share]
        return _ordered(status).filter(pk__in=searched).filter(_conditions(narrowing))
    return column.filter(_conditions(narrowing))


def _sql(queryset: QuerySet) -> tuple[str, tuple[Any, ...]]:
    sql, params = queryset.query.get_compiler(connection=connection).as_sql()
    return sql, tuple(params)


def _chained(queries: Sequence[QuerySet]) -> tuple[str, tuple[Any, ...]]:
    """``UNION ALL`` of limited queries; each is wrapped, since SQLite knows no LIMIT inside a compound."""
    parts = [_sql(query) for query in queries]
    together = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS arm" for sql, _ in parts)  # noqa: S608 - Django's own SQL
    return together, tuple(param for _, params in parts for param in params)


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


def _numbers(projects: Sequence[Project], statuses: Sequence[Status], narrowing: Narrowing, share: int) -> list[int]:
    """How many tasks each column has, in one query, each counted up to one more than ``COUNTED``."""
    selects, params = [], []
    for status in statuses:
        if narrowing.needs_window(status):
            arms = [_arm(project, status, narrowing, share).order_by().values("pk") for project in projects]
        else:
            together = Task.objects.filter(status=status, project__in=[project.pk for project in projects])
            arms = [together.filter(_conditions(narrowing)).order_by().values("pk")]
        sql, arguments = _chained(arms)
        selects.append(f"(SELECT COUNT(*) FROM (SELECT 1 FROM ({sql}) AS found LIMIT {COUNTED + 1}) AS capped)")  # noqa: S608 - the same
        params += arguments
    return list(_rows(f"SELECT {', '.join(selects)}", tuple(params))[0])


def _of_assignee(
    projects: Sequence[Project], statuses: Sequence[Status], narrowing: Narrowing
) -> dict[Status, ColumnContent]:
    """The columns of one agent, from its assignments: all that are active, and the latest of those that ended."""
    agent = narrowing.assignee
    assert agent is not None
    active = Assignment.objects.active().filter(agent=agent).order_by("-pk").values_list("task_id", flat=True)
    ended = (
        Assignment.objects.filter(agent=agent, ended_at__isnull=False, end_reason=AssignmentEnd.CLOSED)
        .order_by("-pk")
        .values_list("task_id", flat=True)
    )
    open_ids, ended_ids = list(active[:WINDOW]), list(ended[:WINDOW])
    found = Task.objects.filter(pk__in={*open_ids, *ended_ids}).filter(_conditions(narrowing)).order_by()
    of_projects = {project.pk for project in projects}
    columns = {
        status: ColumnContent(windowed=len(ended_ids if status in TERMINAL else open_ids) == WINDOW)
        for status in statuses
    }
    rows: dict[str, list[tuple]] = {status: [] for status in statuses}
    for row in found.values_list(*_KEYS):
        if row[2] in of_projects and row[0] in rows:
            rows[row[0]].append(row)
    for status, content in columns.items():
        content.ids = _sorted_ids(status, rows[status])
        content.count = len(rows[status])
    return columns


def read_columns(
    projects: Sequence[Project], statuses: Sequence[Status], narrowing: Narrowing
) -> dict[Status, ColumnContent]:
    """The content of each column over ``projects``, narrowed; at most ``SHOWN`` ids each, in two queries."""
    if not projects:
        return {status: ColumnContent() for status in statuses}
    if narrowing.assignee is not None:
        return _of_assignee(projects, statuses, narrowing)
    share = max(WINDOW // len(projects), 100)
    arms = [
        _arm(project, status, narrowing, share).values_list(*_KEYS)[:SHOWN]
        for status in statuses
        for project in projects
    ]
    rows: dict[str, list[tuple]] = {status: [] for status in statuses}
    for row in _rows(*_chained(arms)):
        rows[row[0]].append(row)
    numbers = _numbers(projects, statuses, narrowing, share)
    return {
        status: ColumnContent(_sorted_ids(status, rows[status]), number, narrowing.needs_window(status))
        for status, number in zip(statuses, numbers, strict=True)
    }
