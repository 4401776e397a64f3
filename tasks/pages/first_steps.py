"""The first steps of a manager: a short list on the board, ticked off by what there is."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Exists, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tasks.models import Membership, Profile, Project, Role, Task
from tasks.pages.returning import way_back
from tasks.permissions import is_llm, may_create_projects
from tasks.transitions import Status


@dataclass(frozen=True)
class Step:
    """One of them: what to do, whether it is done, and where it is done."""

    words: str
    is_done: bool
    button: str = ""
    url: str = ""


def first_steps(user: User, *, is_over: bool = False) -> list[Step]:
    """The steps of whoever manages a project or may create one; none once all are done, or ``is_over``. One query, or
    two for somebody who manages none.
    """
    if is_over or is_llm(user):
        return []
    managed = Membership.objects.filter(user=user, role=Role.MANAGER).order_by()
    mine = managed.values("project")
    others = Membership.objects.filter(project__in=mine).exclude(user=user).order_by()
    tasks = Task.objects.filter(project__in=mine).order_by()
    row = (
        User.objects.filter(pk=user.pk)
        .annotate(
            key=Subquery(Project.objects.filter(pk__in=mine).order_by("pk").values("key")[:1]),
            has_others=Exists(others),
            has_tasks=Exists(tasks),
            has_completed=Exists(tasks.filter(status=Status.COMPLETED)),
        )
        .values_list("key", "has_others", "has_tasks", "has_completed")
        .first()
    )
    key, has_others, has_tasks, has_completed = row or (None, False, False, False)
    if (has_others and has_tasks and has_completed) or (key is None and not may_create_projects(user)):
        return []
    agent = reverse("new_agent", args=[key]) if key else ""
    task = f"{reverse('new_task')}?{urlencode({'project': key})}" if key else ""
    return [
        Step("Create a project", key is not None, "Create a project", f"{reverse('projects')}#new"),
        Step("Invite a person or add an agent", has_others, "Add an agent", agent),
        Step("Create the first task", has_tasks, "New task", task),
        Step("See it completed", has_completed),
    ]


@require_POST
@login_required
def end_first_steps(request: HttpRequest) -> HttpResponse:
    """Show the list to the user no more; repeating it changes nothing."""
    user: Any = request.user
    Profile.objects.update_or_create(user=user, defaults={"first_steps_over": True})
    return HttpResponseRedirect(way_back(request) or reverse("board"))
