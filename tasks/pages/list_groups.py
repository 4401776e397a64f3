"""The list in groups: each with how many tasks it has and the first of them, at a cost that the groups bound.

Of very many tasks the newest are grouped, and the page says so. A task with two labels is in both groups.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet

from tasks.conditions import Condition, Context, Leaf, both, compile
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.models import Assignment, Priority, Task, counting
from tasks.pages.list_query import GROUPS, ListQuery
from tasks.pages.list_rows import READ, Row, rows_of
from tasks.refs import ref_of
from tasks.transitions import Status

#: Tasks that are grouped, groups that are shown, and rows of each.
WINDOW, MOST_GROUPS, SHOWN_OF_GROUP = 10_000, 30, 10
#: Rows of a page: of many groups each shows fewer, though not fewer than these.
SHOWN, LEAST_OF_GROUP = 100, 3
#: In addresses, the key of the group of those that have none.
NONE: Final = ""
Counted = list[tuple[str, str, int]]


@dataclass
class Group:
    """``condition``: what its tasks have in common; ``url``: the list of them; empty: no filter says exactly that."""

    key: str
    label: str
    count: int
    condition: Condition
    is_folded: bool = False
    rows: list[Row] = field(default_factory=list)
    url: str = ""
    fold_url: str = ""

    @property
    def hidden(self) -> int:
        return 0 if self.is_folded else self.count - len(self.rows)


@dataclass(frozen=True)
class Grouped:
    """``left_out``: groups that are not shown; ``is_window``: only the newest ``WINDOW`` tasks are grouped."""

    groups: list[Group]
    left_out: int
    is_window: bool


def _of_status(tasks: QuerySet[Task]) -> Counted:
    counts = dict(tasks.order_by().values_list("status").annotate(n=Count("pk")))
    return [(status.value, status.label, counts[status.value]) for status in Status if status.value in counts]


def _of_priority(tasks: QuerySet[Task]) -> Counted:
    counts = dict(tasks.order_by().values_list("priority").annotate(n=Count("pk")))
    return [(each.name.lower(), each.label, counts[each]) for each in reversed(Priority) if each.value in counts]


def _of_label(tasks: QuerySet[Task]) -> Counted:
    labels = Task.labels.through.objects.filter(task__in=tasks.order_by().values("pk"))
    counts = labels.order_by("label__name").values_list("label__name").annotate(n=Count("task", distinct=True))
    return [(name, name, n) for name, n in counts]


def _of_assignee(tasks: QuerySet[Task]) -> Counted:
    assigned = Assignment.objects.filter(counting(), task__in=tasks.order_by().values("pk"))
    counts = assigned.order_by("agent__slug").values_list("agent__slug").annotate(n=Count("task", distinct=True))
    return [(slug, slug, n) for slug, n in counts]


def _of_parent(tasks: QuerySet[Task]) -> Counted:
    having = tasks.exclude(parent=None).order_by().values_list("project__key", "parent__number", "parent__title")
    counts = having.annotate(n=Count("pk")).order_by("-n", "project__key", "parent__number")
    return [(ref_of(key, number), f"{ref_of(key, number)} {title}", n) for key, number, title, n in counts]


def _has_assignee() -> Any:
    return Exists(Assignment.objects.filter(counting(), task=OuterRef("pk")))


@dataclass(frozen=True)
class _Grouping:
    """``nothing``: how the group of those that have none is called; empty: every task has one."""

    label: str
    field: str
    counted: Callable[[QuerySet[Task]], Counted]
    nothing: str = ""


GROUPINGS: Final = {
    "status": _Grouping("Status", "status", _of_status),
    "assignee": _Grouping("Agent", "assignee", _of_assignee, "Nobody"),
    "priority": _Grouping("Priority", "priority", _of_priority),
    "label": _Grouping("Label", "label", _of_label, "No label"),
    "parent": _Grouping("Parent", "parent", _of_parent, "No parent"),
}


assert tuple(GROUPINGS) == GROUPS, "The address and the page know different groups."


def folded_in(text: str) -> list[str]:
    """The keys of folded groups as the parameter ``folded`` has them."""
    return [unquote(part.removeprefix("-")) for part in text.split(",") if part]


def folded_as(keys: list[str]) -> str:
    """The same as a parameter; a group without a name must not vanish from it."""
    return ",".join(f"-{quote(key, safe='')}" for key in keys)


def grouped(query: ListQuery, tasks: QuerySet[Task], context: Context, now: datetime) -> Grouped:
    """The groups of ``tasks`` by ``query.group``: 30 at most, each with its first tasks in the list's order: ten, and
    fewer where there are many groups.
    """
    grouping = GROUPINGS[query.group]
    oldest = list(tasks.order_by("-pk").values_list("pk", flat=True)[WINDOW : WINDOW + 1])
    if oldest:
        tasks = tasks.filter(pk__gt=oldest[0])
    counted = grouping.counted(tasks)
    left_out = max(0, len(counted) - MOST_GROUPS)
    folded = folded_in(query.folded)
    groups = [
        Group(key, label, n, Leaf(grouping.field, "in", (key,)), key in folded)
        for key, label, n in counted[:MOST_GROUPS]
    ]
    if grouping.nothing and (none := _without(query.group, tasks, grouping.nothing)):
        none.is_folded = none.key in folded
        groups.append(none)
    _read_rows(query, tasks, groups, context, now, oldest[0] if oldest else 0)
    for group in groups:
        others = [key for key in folded if key != group.key]
        group.fold_url = query.url(folded=folded_as(others if group.is_folded else [*others, group.key]))
        if not (group.key == NONE and query.group == "assignee"):
            group.url = query.url(both(query.condition, group.condition), group="", folded="")
    return Grouped(groups, left_out, bool(oldest))


def _without(name: str, tasks: QuerySet[Task], label: str) -> Group | None:
    if name == "assignee":
        rest = tasks.filter(~_has_assignee())
        # "Unassigned" is of those who are to do it; here also whoever did it counts.
        condition: Condition = Leaf("unassigned", "is", True)
    elif name == "label":
        rest, condition = tasks.filter(labels=None), Leaf("label", "is_set", False)
    else:
        rest, condition = tasks.filter(parent=None), Leaf("parent", "is_set", False)
    n = rest.order_by().count()
    return Group(NONE, label, n, condition) if n else None


def _read_rows(
    query: ListQuery, tasks: QuerySet[Task], groups: list[Group], context: Context, now: datetime, oldest: int
) -> None:
    """Fill in the rows of the open groups: their ids in one statement, then the tasks."""
    shown = [group for group in groups if not group.is_folded]
    most = min(SHOWN_OF_GROUP, max(LEAST_OF_GROUP, SHOWN // max(len(shown), 1)))
    sign = "-" if query.is_descending else ""
    order = [f"{sign}{query.column}", *([f"{sign}pk"] if query.column != "pk" else [])]
    parts, parameters = [], []
    for place, group in enumerate(shown):
        if query.group == "assignee":
            # As the condition says it, but begun with the assignments of the agent, and without a query for each.
            own = Assignment.objects.filter(counting(), agent__slug=group.key, task__gt=oldest)
            narrowed = tasks.filter(pk__in=own.values("task")) if group.key else tasks.filter(~_has_assignee())
        else:
            narrowed = tasks.filter(compile(group.condition, TASK_FIELDS, context))
        first = narrowed.order_by(*order).values_list("id", flat=True)[:most]
        sql, values = first.query.get_compiler(connection=connection).as_sql()
        parts.append(f"SELECT {place}, of_group.id FROM ({sql}) AS of_group")  # noqa: S608 - Django's own
        parameters += values
    if not parts:
        return
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        places = cursor.fetchall()
    values = Task.objects.filter(pk__in={pk for _, pk in places}).values(*READ)
    by_id = {row.values["id"]: row for row in rows_of(list(values), now)}
    for place, pk in places:
        if pk in by_id:
            shown[place].rows.append(by_id[pk])
