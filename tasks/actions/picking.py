"""Which of the ready tasks an agent claims next: what is assigned to it, then the pools of its projects."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from taskproject.prepared.querysets import prepared
from tasks import clock
from tasks.models import Agent, Assignment, Project, Task


def assigned_tasks(agent: Agent, projects: list[Project], now: datetime) -> QuerySet[Task]:
    """What is ready and assigned to the agent in these projects."""
    return Task.objects.ready(now).filter(project__in=projects).assigned_to(agent).in_claim_order()


def pool_tasks(agent: Any, project: Any, now: Any) -> QuerySet[Task]:
    """What an agent may pull from one project; one query per project, so that each walks ``task_pool`` in order."""
    return Task.objects.ready(now).filter(project=project).unassigned().fits_skills_of(agent).in_claim_order()


def _locked(tasks: QuerySet[Task], most: int) -> QuerySet[Task]:
    # Of one table: with a join, SQLite may sort all tasks where it could walk an index. Nothing waits for a lock here,
    # and of a row that has just changed PostgreSQL computes all columns again; so the time is one behind the locks.
    tasks = tasks.annotate(picked_at=clock.Clock())
    return tasks.select_for_update(skip_locked=True, of=("self",), no_key=True)[:most]


@prepared
def _first_assigned(agent: Any, projects: Any, now: Any, *, most: int) -> QuerySet[Task]:
    tasks = Task.objects.ready(now).filter(project__id__any=projects).assigned_to(agent)
    return _locked(tasks.in_claim_order(), most)


@prepared
def _first_of_pool(agent: Any, project: Any, now: Any, *, most: int) -> QuerySet[Task]:
    return _locked(pool_tasks(agent, project, now), most)


def pick(
    agent: Agent, projects: list[Project], limit: int, most: Mapping[int, int], now: datetime, *, is_expected: bool
) -> list[tuple[Task, bool]]:
    """Up to ``limit`` tasks to claim, locked if the database supports it, each with whether it is pulled.

    What staff assigned to the agent comes before the pool; ``is_expected``: whether there is any. ``most``: how many
    tasks of a project (by id), if not any number.
    """
    by_id = {project.pk: project for project in projects}

    def first(tasks: list[Task], most: int) -> list[Task]:
        return sorted(tasks, key=lambda task: (-task.priority, task.due_order, task.pk))[:most]

    def assigned_in(projects: Iterable[Project], most: int) -> list[Task]:
        ids = [project.pk for project in projects]
        return _first_assigned.all(agent=agent.pk, projects=ids, now=now, most=most) if ids else []

    assigned: list[Task] = []
    if is_expected:
        narrow = [project for project in projects if most.get(project.pk, limit) < limit]
        assigned = assigned_in([project for project in projects if project not in narrow], limit)
        for project in narrow:
            assigned += assigned_in([project], most[project.pk])
        assigned = first(assigned, limit)
    taken = Counter(task.project_id for task in assigned)
    pool: list[Task] = []
    rest = limit - len(assigned)
    if rest > 0:
        for project in projects:
            if project.allow_pull:
                left = min(rest, most.get(project.pk, limit) - taken[project.pk])
                pool += _first_of_pool.all(agent=agent.pk, project=project.pk, now=now, most=left)
    picked = [(task, False) for task in assigned] + [(task, True) for task in first(pool, rest)]
    for task, _ in picked:
        task.project = by_id[task.project_id]
    return picked


@prepared
def _assignments_to_anybody(tasks: Any) -> QuerySet[Assignment, Any]:
    return Assignment.objects.active().filter(task__id__any=tasks).order_by().values_list("pk", flat=True)


@prepared
def _not_assigned(tasks: Any, agent: Any) -> QuerySet[Task, Any]:
    mine = Assignment.objects.active().filter(task=OuterRef("pk"), agent=agent).order_by()
    return Task.objects.filter(~Exists(mine), pk__any=tasks).order_by().values_list("pk", flat=True)


def require_same_assignees(agent: Agent, picked: list[tuple[Task, bool]]) -> None:
    """Lose the race if staff changed the assignees between reading and locking one of the picked rows: locking a row
    reads only that row again, not the assignments that the query read.
    """
    if not connection.features.has_select_for_update:
        return
    if pulled := [task.pk for task, by_pull in picked if by_pull]:
        _assignments_to_anybody.none_later(tasks=pulled)
    if expected := [task.pk for task, by_pull in picked if not by_pull]:
        _not_assigned.none_later(tasks=expected, agent=agent.pk)


def is_anything_ready(agent: Agent, projects: list[Project], now: datetime) -> bool:
    """Whether the agent could claim something in these projects, whatever their limits."""
    return assigned_tasks(agent, projects, now).exists() or any(
        pool_tasks(agent, project, now).exists() for project in projects if project.allow_pull
    )
