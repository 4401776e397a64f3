"""Whose figures a report may show: one project of the caller, or all of the caller's together."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from taskproject.errors import NotFound, unknown_name
from tasks.models import Project
from tasks.querysets import sees_all


@dataclass(frozen=True)
class Scope:
    """The projects that a report reads. ``project`` is the requested one; None means all that the caller may see."""

    project_ids: tuple[int, ...]
    project: Project | None = None
    is_everything: bool = False

    def of_project(self, rows: QuerySet) -> QuerySet:
        """The ``rows`` (with a ``project``) in this scope."""
        # Even all projects are listed: the indexes for reports start with the project.
        return rows.filter(project_id__in=self.project_ids)

    def of_task(self, rows: QuerySet) -> QuerySet:
        """The ``rows`` (with a ``task``) in this scope."""
        return rows if self.is_everything else rows.filter(task__project_id__in=self.project_ids)


def scope_of(user: Any, key: str | None = None) -> Scope:
    """What ``user`` may read: the project ``key``, or every project they are a member of (a superuser: all).

    Raises the same ``NotFound`` for a project that is not theirs as for one that does not exist.
    """
    projects = Project.objects.visible_to(user).order_by("key")
    if key is None:
        ids = tuple(projects.values_list("pk", flat=True))
        return Scope(ids, is_everything=sees_all(user))
    project = projects.filter(key=key.upper()).first()
    if project is None:
        known = list(projects.values_list("key", flat=True))
        raise NotFound(unknown_name(key, known, what="project of yours"))
    return Scope((project.pk,), project)
