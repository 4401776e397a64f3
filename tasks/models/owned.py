"""What things that people define and keep have in common: see decision 40."""

from typing import Any

from django.db import models
from django.db.models import Q

from taskproject.reach import reach_of
from tasks.models.project import Project

LONGEST_NAME = 120


def owner_gone(collector: Any, field: Any, rows: Any, using: str) -> None:
    """What happens to what an account keeps when it is deleted: what it shared stays with the project, whose managers
    look after it; what it kept to itself goes with it, and the page that confirms the deletion lists it.
    """
    models.CASCADE(collector, field, rows.filter(project__isnull=True), using)
    models.SET_NULL(collector, field, rows.filter(project__isnull=False), using)


def project_gone(collector: Any, field: Any, rows: Any, using: str) -> None:
    """What happens to what is shared with a project when that is deleted: each is its owner's own again; one without
    an owner goes with the project.
    """
    models.CASCADE(collector, field, rows.filter(owner__isnull=True), using)
    models.SET_NULL(collector, field, rows.filter(owner__isnull=False), using)


def readable_by(user: Any) -> Q:
    """One's own that are shared with nobody, and those that are shared with a project that one sees.

    Credentials that are limited to projects do not reach the former, which may name any project of their owner.
    """
    readable = Q(project__in=Project.objects.visible_to(user).order_by().values("pk"))
    if reach_of(user).projects is None:
        readable |= Q(owner=user, project__isnull=True)
    return readable
