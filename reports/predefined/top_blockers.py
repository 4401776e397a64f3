"""Which open tasks hold up how many others, and since when."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from reports import charts
from reports.definitions import Cell, Definition
from reports.holding_up import Hold, top
from reports.limits import check_time
from reports.periods import Period
from reports.predefined.leads import TASKS_NOW, is_
from reports.report import Answer, Column, Report, Result, Row
from reports.scopes import Scope
from tasks.models import Dependency, StatusInterval, Task, WaitReason
from tasks.transitions import Status, settles_child

MOST: Final = 50
_SETTLED: Final = [status for status in Status if settles_child(status)]


def _dependencies(scope: Scope) -> "QuerySet[Dependency]":
    """What a task that is not started waits for."""
    held = Dependency.objects.order_by().exclude(depends_on__status=Status.COMPLETED)
    return scope.of_task(held.filter(task__status=Status.NOT_STARTED))


def _children(scope: Scope) -> "QuerySet[Task]":
    """Subtasks that a task that is not started waits for."""
    children = Task.objects.order_by().filter(parent__status=Status.NOT_STARTED).exclude(status__in=_SETTLED)
    return scope.of_project(children)


def _edges(scope: Scope) -> Iterator[tuple[int, int]]:
    yield from _dependencies(scope).values_list("task_id", "depends_on_id").iterator(chunk_size=5_000)
    yield from _children(scope).values_list("parent_id", "pk").iterator(chunk_size=5_000)


def _since(scope: Scope, blockers: list[int]) -> dict[int, datetime]:
    """Since when each of ``blockers`` has held up the task that has waited for it the longest.

    A task waits for another from when it began to wait for any, or from when the other was named, if that was later.
    """
    edges = [
        *_dependencies(scope).filter(depends_on__in=blockers).values_list("depends_on_id", "task_id", "created_at"),
        *_children(scope).filter(pk__in=blockers).values_list("pk", "parent_id", "created_at"),
    ]
    waits = StatusInterval.objects.filter(ended_at__isnull=True, reason=WaitReason.DEPENDENCY)
    began = dict(waits.filter(task__in={task for _, task, _ in edges}).values_list("task_id", "began_at"))
    since: dict[int, datetime] = {}
    for blocker, task, named in edges:
        moment = max(began.get(task, named), named)
        since[blocker] = min(since.get(blocker, moment), moment)
    return since


def _top_blockers(scope: Scope, period: Period, now: datetime) -> Result:
    edges = list(_edges(scope))
    holds = top(edges, MOST, check=check_time)
    blockers = [hold.blocker for hold in holds]
    tasks = Task.objects.select_related("project").in_bulk(blockers)
    since = _since(scope, blockers)
    # What is settled or deleted meanwhile holds up nobody.
    there = [hold for hold in holds if hold.blocker in tasks and hold.blocker in since]
    rows = [_row(hold, tasks[hold.blocker], since[hold.blocker], now) for hold in there]
    held = {task for task, _ in edges}
    total: Row = {"task": None, "title": None, "status": None, "direct": len(held), "in_all": len(held)}
    oldest = min(since.values(), default=None)
    total |= {"since": oldest, "held_seconds": None if oldest is None else _seconds(oldest, now), "waits_for": None}
    return Result(rows, total, n=len(held))


def _row(hold: Hold, task: Task, since: datetime, now: datetime) -> Row:
    return {
        "task": task.ref,
        "title": task.title,
        "status": str(task.status),
        "direct": hold.directly,
        "in_all": hold.in_all,
        "since": since,
        "held_seconds": _seconds(since, now),
        "waits_for": task.open_blockers,
    }


def _seconds(since: datetime, now: datetime) -> float:
    return round((now - since).total_seconds(), 3)


def _held_up(answer: Answer, row: Row) -> tuple[Definition, Cell] | None:
    """All tasks that wait for others; those that wait for one are on its page, to which its row leads."""
    return None if row.get("task") else TASKS_NOW.having(is_("blocked", True))(answer, row)


TOP_BLOCKERS = Report(
    slug="top_blockers",
    title="Top blockers",
    description=(
        f"The {MOST} tasks that hold up the most others, as of now, whatever the period: directly, because a task that "
        "is not started waits for them or has them as subtasks, and in all, with what waits for those. A task that "
        "failed or was cancelled holds up what depends on it until somebody decides. The total counts each task that "
        "waits once."
    ),
    formula="in all = tasks that are reached from the blocker over dependencies and parents.",
    source="Dependencies and subtasks as of now; intervals of waiting.",
    columns=(
        Column("task", "Task", "text", "dimension"),
        Column("title", "Title", "text", "dimension"),
        Column("status", "Status", "text", "dimension"),
        Column("direct", "Holds up directly (now)", "tasks"),
        Column("in_all", "Holds up in all (now)", "tasks"),
        Column("since", "Since", "time"),
        Column("held_seconds", "For (now)", "seconds", n="direct"),
        Column("waits_for", "Waits itself for (now)", "tasks"),
    ),
    charts=(charts.Bars(label="task", value="in_all", of="task", title="Tasks held up, by blocker"),),
    query=_top_blockers,
    behind=dict.fromkeys(("direct", "in_all", "held_seconds"), _held_up),
    sample="direct",
    headline=("direct", "since"),
)
