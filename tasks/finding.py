"""Finds what a path or query names, among what the actor may see; for them nothing else exists."""

from typing import TYPE_CHECKING

from tasks.errors import NotFound
from tasks.models import Agent, Project, Task
from tasks.querysets import TaskQuerySet
from tasks.refs import parse_ref

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def find_project(actor: "User", key: str) -> Project:
    """The project with this key, with its members loaded. Raises ``NotFound``."""
    projects = Project.objects.visible_to(actor)
    project = projects.prefetch_related("memberships__user__agent").filter(key=key.upper()).first()
    if project is None:
        raise no_project(key)
    return project


def no_project(key: str) -> NotFound:
    return NotFound(f"There is no project {key!r} that you are a member of.")


def find_task(actor: "User", ref: str) -> Task:
    """The task with this ref, with its project loaded. Raises ``NotFound``."""
    task = task_named(actor, ref).select_related("project").first()
    if task is None:
        raise no_task(ref)
    return task


def task_named(actor: "User", ref: str) -> TaskQuerySet:
    """The task with this ref, as a query of at most one row."""
    tasks: TaskQuerySet = Task.objects.order_by()
    parsed = parse_ref(ref)
    if parsed is None:
        return tasks.none()
    key, number = parsed
    return tasks.filter(project__key=key, number=number).found_by(actor)


def no_task(ref: str) -> NotFound:
    return NotFound(f"There is no task {ref!r} in the projects that you are a member of.")


def find_agent(actor: "User", slug: str) -> Agent:
    """The agent with this slug, if ``actor`` shares a project with it. Raises ``NotFound``."""
    agent = Agent.objects.visible_to(actor).select_related("user").filter(slug=slug).first()
    if agent is None:
        raise NotFound(f"There is no agent {slug!r} in the projects that you are a member of.")
    return agent
