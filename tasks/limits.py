"""The limits of a project: how many tasks in progress, and in review, until agents begin no more.

Only a project that has a limit costs anything: its row is locked, so that claims of its tasks run one after another,
and its tasks in these two statuses are counted. People exceed the limits by hand; the board shows it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from tasks.errors import AtLimit
from tasks.models import Assignment, AssignmentSource, Project, Task
from tasks.transitions import Status


@dataclass(frozen=True)
class Room:
    """How many more tasks agents may begin in a project; ``reached``: the refusal of a claim, if none."""

    more: int | None = None
    reached: AtLimit | None = None


def rooms_of(projects: Iterable[Project], *, lock: bool, offered: bool = False) -> dict[int, Room]:
    """The room of each of these projects, by id, that has a limit.

    ``lock``: their rows are locked first, in the order of their ids, until the transaction ends. ``offered``: what has
    been offered and not begun counts as in progress.
    """
    limited = [project for project in projects if project.limits]
    if not limited:
        return {}
    rows: QuerySet[Project] = Project.objects.filter(pk__in=[project.pk for project in limited]).order_by("pk")
    # As they are now: a limit may have changed since the caller read them.
    read = list(rows.select_for_update(no_key=True) if lock else rows)
    counts = _counts(read, offered=offered)
    return {project.pk: _room(project, counts) for project in read}


def full(projects: Iterable[Project], *, offered: bool = False) -> set[int]:
    """The ids of those projects in which agents begin no more now. Read-only."""
    return {pk for pk, room in rooms_of(projects, lock=False, offered=offered).items() if room.reached is not None}


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
        return f"{'over' if self.is_exceeded else 'at'} its limit; agents begin no more tasks"


def limits_of(project: Project) -> dict[str, Limit]:
    """The limit of each status of ``project`` that has one, and how many tasks are there."""
    if not project.limits:
        return {}
    counts = _counts([project], offered=False)
    return {status: Limit(counts.get((project.pk, status), 0), most) for status, most in project.limits.items()}


def within(tasks: Iterable[tuple[Task, bool]], rooms: dict[int, Room]) -> list[tuple[Task, bool]]:
    """The first of ``tasks`` for which there is room."""
    left = {pk: room.more for pk, room in rooms.items()}
    fitting = []
    for task, by_pull in tasks:
        more = left.get(task.project_id)
        if more is not None:
            if more <= 0:
                continue
            left[task.project_id] = more - 1
        fitting.append((task, by_pull))
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


def _room(project: Project, counts: dict[tuple[int, str], int]) -> Room:
    more = None
    for status, limit in project.limits.items():
        count = counts.get((project.pk, status), 0)
        if count >= limit:
            return Room(0, AtLimit(project.key, status, count, limit))
        if status == Status.IN_PROGRESS:
            more = limit - count
    return Room(more)
