"""The doors to a new task: the button in the frame of every page, and the line at the foot of a column or list."""

import secrets
from typing import Any

from django import template

from tasks.models import Project
from tasks.transitions import Status

register = template.Library()

#: Projects to choose from in a line.
MOST = 100


def _projects(context: template.Context) -> list[Project]:
    """Those in which the reader may create tasks, read once for each page."""
    request = context.get("request")
    if request is None or not request.user.is_authenticated:
        return []
    if not hasattr(request, "creatable_projects"):
        creatable = Project.objects.creatable_by(request.user).order_by("key").only("key", "name")
        request.creatable_projects = list(creatable[:MOST])
    projects: list[Project] = request.creatable_projects
    return projects


def _project_here(context: template.Context, projects: list[Project]) -> Project | None:
    """The project that the page is about, if the reader may create tasks in it; the only one, if there is one."""
    about = getattr(context.get("query"), "project", None) or getattr(context.get("task"), "project", None)
    key = getattr(about, "key", "") or context["request"].GET.get("project", "").upper()
    here = next((project for project in projects if project.key == key), None)
    return here or (projects[0] if len(projects) == 1 else None)


def _here(context: template.Context) -> str:
    """Where the reader is: what the page says, since a part of it that is renewed has an address of its own."""
    request = context.get("request")
    here: str = context.get("here") or (request.get_full_path() if request is not None else "")
    return here


@register.inclusion_tag("tasks/_new_task_link.html", takes_context=True)
def new_task_link(context: template.Context) -> dict[str, Any]:
    """*New task*, for whoever may create tasks in at least one project; ``static/tasks/new_task.js`` opens a dialog."""
    request = context.get("request")
    # An open page that renews itself keeps its frame.
    is_renewal = request is not None and request.headers.get("X-Requested-With") == "refresh"
    projects = [] if is_renewal else _projects(context)
    return {
        "is_shown": bool(projects),
        "project": _project_here(context, projects) if projects else None,
        "here": _here(context),
        "is_current": request is not None and request.path == "/tasks/new/",
    }


@register.inclusion_tag("tasks/_quick_add.html", takes_context=True)
def quick_add(context: template.Context, status: str = Status.NOT_STARTED, key: str = "") -> dict[str, Any]:
    """One line that creates a task, where a new task of the page would appear: nowhere but among those not started.

    ``key`` tells several on one page apart.
    """
    projects = _projects(context) if status == Status.NOT_STARTED else []
    return {
        "projects": projects,
        "project": _project_here(context, projects) if projects else None,
        "place": f"quick-add-{key}" if key else "quick-add",
        "form_key": secrets.token_hex(16),
        "here": _here(context),
    }
