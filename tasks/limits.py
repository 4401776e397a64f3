"""The limits of a project: how many tasks in progress, and in review, until agents stop starting tasks.

Only a project that has a limit costs anything: its row is locked, so that claims of its tasks run one after another,
and its tasks in these two statuses are counted. People exceed the limits by hand; the board shows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from tasks.errors import AtLimit
from tasks.models import Assignment, AssignmentSource, Project, Task
from tasks.transitions import Status


@dataclass(frozen=True)
class Headroom:
    """How many more tasks agents may start in a project, None for any number; ``reached``: the refusal, if none."""

    more: int | None = None
    reached: AtLimit | None = None


def headroom_of(projects: Iterable[Project], *, lock: bool, offered: bool = False) -> dict[int, Headroom]:
    """The headroom of each of these projects, by id, that has a limit.

    ``lock``: their rows are locked first, in the order of their ids, until the transaction ends. ``offered``: what has
    been offered and not started counts as in progress.
    """
    limited = [project for project in projects if project.limits]
    if not limited:
        return {}
    rows: QuerySet[Project] = Project.objects.filter(pk__in=[project.pk for project in limited]).order_by("pk")
    # As they are now: a limit may have changed since the caller read them.
    read = list(rows.select_for_update(no_key=True) if lock else rows)
    counts = _counts(read, offered=offered)
    return {project.pk: _headroom(project, counts) for project in read}


def full(projects: Iterable[Project]) -> set[int]:
    """The ids of those projects in which agents start no tasks now. Read-only."""
    return {pk for pk, headroom in headroom_of(projects, lock=False).items() if headroom.reached is not None}


@dataclass(frozen=True)
class Limit:
    """A limited status as the board shows it."""

    count: int
    most: int

    @property
    def is_reached(self) -> bool:
        return self.count >= self.most

    @property
    def is_exceeded(self) -> bool:
        return self.count > self.most

    @property
    def tone(self) -> str:
        return "is-exceeded" if self.is_exceeded else "is-reached" if self.is_reached else ""

    @property
    def words(self) -> str:
        """How it stands, to follow the numbers."""
        if not self.is_reached:
            return "of its limit"
        return f"{'over' if self.is_exceeded else 'at'} its limit; agents start no new tasks"


def limits_of(project: Project) -> dict[str, Limit]:
    """The limit of each status of ``project`` that has one, and how many tasks are there."""
    if not project.limits:
        return {}
    counts = _counts([project], offered=False)
    return {status: Limit(counts.get((project.pk, status), 0), most) for status, most in project.limits.items()}


def within(tasks: Iterable[Task], headroom: Mapping[int, Headroom]) -> list[Task]:
    """The first of ``tasks`` for which there is headroom."""
    left = {pk: each.more for pk, each in headroom.items()}
    fitting = []
    for task in tasks:
        more = left.get(task.project_id)
        if more is not None:
            if more <= 0:
                continue
            left[task.project_id] = more - 1
        fitting.append(task)
    return fitting


def _counts(projects: Sequence[Project], *, offered: bool) -> dict[tuple[int, str], int]:
    ids = [project.pk for project in projects]
    tasks = Task.objects.filter(project__in=ids, status__in=(Status.IN_PROGRESS, Status.IN_REVIEW)).order_by()
    rows = tasks.values_list("project_id", "status").annotate(n=Count("pk"))
    counts = {(project, status): count for project, status, count in rows}
    if offered:
        waiting = Assignment.objects.unstarted().filter(source=AssignmentSource.AUTO, task__project__in=ids).order_by()
        for project, count in waiting.values_list("task__project_id").annotate(n=Count("task", distinct=True)):
            key = (project, Status.IN_PROGRESS.value)
            counts[key] = counts.get(key, 0) + count
    return counts


def _headroom(project: Project, counts: dict[tuple[int, str], int]) -> Headroom:
    more = None
    for status, limit in project.limits.items():
        count = counts.get((project.pk, status), 0)
        if count >= limit:
            return Headroom(0, AtLimit(project.key, status, count, limit))
        if status == Status.IN_PROGRESS:
            more = limit - count
    return Headroom(more)
