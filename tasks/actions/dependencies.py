"""What waits for what: dependencies and parents, kept free of cycles.

A parent waits for its children as a task waits for its dependencies, so both are edges of one graph.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tasks import clock
from tasks.actions.blockers import Shifted, shift_blockers
from tasks.actions.funnel import load_task, require_legal, touch
from tasks.actions.locking import lock_tasks
from tasks.actions.transactions import verb
from tasks.errors import DependencyCycle, Invalid
from tasks.events import kinds
from tasks.events.declaration import Kind
from tasks.events.recording import event, record
from tasks.models import Dependency, Project, Task
from tasks.permissions import require
from tasks.transitions import satisfies_dependency, settles_child
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User


def lock_graph(project: Project | int) -> None:
    """Let one transaction at a time change a project's graph: two edges, each harmless alone, can form a cycle."""
    pk = project if isinstance(project, int) else project.pk
    Project.objects.select_for_update(no_key=True).filter(pk=pk).values_list("pk").first()


def _waits_for(ids: Iterable[int]) -> dict[int, list[int]]:
    """The ids that each task (by id) waits for directly: dependencies and children."""
    ids = list(ids)
    edges: dict[int, list[int]] = defaultdict(list)
    for task_id, other in Dependency.objects.filter(task__in=ids).values_list("task_id", "depends_on_id"):
        edges[task_id].append(other)
    for parent_id, child in Task.objects.filter(parent__in=ids).values_list("parent_id", "pk"):
        edges[parent_id].append(child)
    return edges


def find_path(starts: Iterable[int], goal: int) -> list[int] | None:
    """Ids from one of ``starts`` to ``goal`` along *waits for*; None if there is no path. Two queries per level."""
    frontier = list(dict.fromkeys(starts))
    came_from: dict[int, int | None] = dict.fromkeys(frontier)
    while frontier:
        if goal in came_from:
            path: list[int] = []
            step: int | None = goal
            while step is not None:
                path.append(step)
                step = came_from[step]
            return path[::-1]
        edges = _waits_for(frontier)
        reached = []
        for task_id in frontier:
            for other in edges.get(task_id, ()):
                if other not in came_from:
                    came_from[other] = task_id
                    reached.append(other)
        frontier = reached
    return None


def require_no_cycle(task: Task, others: Sequence[Task]) -> None:
    """Raise ``DependencyCycle``, naming the cycle that ``task`` waiting for ``others`` would create."""
    path = find_path([other.pk for other in others], task.pk)
    if path is None:
        return
    named = {t.pk: t.ref for t in Task.objects.filter(pk__in=path).select_related("project")}
    raise DependencyCycle([task.ref, *(named[pk] for pk in path)])


def connect(task: Task, others: Sequence[Task]) -> tuple[list[Task], int]:
    """Insert the missing edges ``task`` → ``others``; returns the new ones and how many of them are not completed.

    Needs ``lock_graph``; locks all of them, so that one completing meanwhile is counted once. Part of a running verb.
    """
    present = set(Dependency.objects.filter(task=task).values_list("depends_on_id", flat=True))
    new = list({other.pk: other for other in others if other.pk not in present}.values())
    status = lock_tasks([task.pk, *(other.pk for other in new)])
    if gone := [other.ref for other in new if other.pk not in status]:
        raise Invalid({"depends_on": f"{', '.join(gone)} no longer exists."})
    for other in new:
        if other.project_id != task.project_id:
            raise Invalid({"depends_on": f"{other.ref} belongs to another project; dependencies stay inside one."})
    require_no_cycle(task, new)
    Dependency.objects.bulk_create([Dependency(task=task, depends_on=other) for other in new])
    return new, sum(not satisfies_dependency(status[other.pk]) for other in new)


@verb(catalogue.ADD_DEPENDENCIES)
def add_dependencies(*, actor: "User", task: Task, depends_on: Sequence[Task]) -> Task:
    """Make ``task`` wait for each of ``depends_on``; existing dependencies stay as they are.

    Raises ``NotPermitted``, ``DependencyCycle`` naming it, ``Invalid``, ``IllegalTransition`` for an ended task.
    """
    lock_graph(task.project_id)
    lock_tasks([task.pk, *(other.pk for other in depends_on)])
    task = load_task(task)
    require(actor, "edit_dependencies", task)
    require_legal(catalogue.ADD_DEPENDENCIES, task)
    if any(other.pk == task.pk for other in depends_on):
        raise DependencyCycle([task.ref, task.ref])
    new, waiting = connect(task, depends_on)
    return _record_edges(kinds.TASK_DEPENDENCIES_ADDED, task, new, waiting, actor=actor)


@verb(catalogue.REMOVE_DEPENDENCIES)
def remove_dependencies(*, actor: "User", task: Task, depends_on: Sequence[Task]) -> Task:
    """Make ``task`` no longer wait for the tasks in ``depends_on``.

    Raises ``NotPermitted``.
    """
    lock_graph(task.project_id)
    task = load_task(task)
    require(actor, "edit_dependencies", task)
    status = lock_tasks([task.pk, *(other.pk for other in depends_on)])
    gone = [other for other in depends_on if Dependency.objects.filter(task=task, depends_on=other).delete()[0]]
    freed = sum(not satisfies_dependency(status[other.pk]) for other in gone)
    return _record_edges(kinds.TASK_DEPENDENCIES_REMOVED, task, gone, -freed, actor=actor)


def _record_edges(kind: Kind, task: Task, others: Sequence[Task], delta: int, *, actor: "User | None") -> Task:
    """Count the blockers of ``task``, which is locked, record its edges to ``others``, and return it as it is now.

    Where the number of blockers stays, the edges still move the task's version.
    """
    if not others:
        return load_task(task)
    now = clock.now()
    if delta:
        shift_blockers({task.pk: delta}, now=now, actor=actor)
    else:
        touch([task.pk], now)
    task = load_task(task)
    refs = [other.ref for other in others]
    record(event(kind, at=now, actor=actor, task=task, depends_on=refs, open=task.open_blockers))
    return task


def change_parent(task: Task, parent: Task | None, *, now: "datetime", actor: "User | None") -> Shifted:
    """Move ``task`` under ``parent`` and count it among what the parent waits for. Part of a running verb.

    Needs ``lock_graph``, and that no task is locked yet except those locked here. Raises ``DependencyCycle``,
    ``Invalid``.
    """
    status = lock_tasks(pk for pk in (task.pk, task.parent_id, parent.pk if parent else None) if pk)
    if parent is not None:
        if parent.pk not in status:
            raise Invalid({"parent": f"{parent.ref} no longer exists."})
        if parent.project_id != task.project_id:
            raise Invalid({"parent": f"{parent.ref} belongs to another project."})
        if parent.pk == task.pk:
            raise DependencyCycle([task.ref, task.ref])
        require_no_cycle(parent, [task])
    deltas = {}
    if not settles_child(task.status):
        if task.parent_id:
            deltas[task.parent_id] = -1
        if parent is not None:
            deltas[parent.pk] = deltas.get(parent.pk, 0) + 1
    Task.objects.filter(pk=task.pk).update(parent=parent)
    task.parent = parent
    return shift_blockers(deltas, now=now, actor=actor, cause=task)
