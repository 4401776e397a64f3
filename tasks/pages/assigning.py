"""Giving a task to one agent from any page that offers it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tasks.errors import DomainError, Invalid
from tasks.pages.returning import way_back
from tasks.pages.task import find_task
from tasks.using.calling import outcome, use
from tasks.using.posting import sentence
from tasks.verbs.catalogue import ASSIGN


@require_POST
@login_required
def assign_task(request: HttpRequest, ref: str) -> HttpResponse:
    """Assign the task to the posted ``agent`` with a ``note``, then lead back; those assigned stay assigned."""
    task = find_task(request, ref)
    user: Any = request.user
    agent = request.POST.get("agent", "").strip()
    try:
        if not agent:
            raise Invalid({"agents": "Choose somebody."})
        values = {"agents": [agent], "note": request.POST.get("note", "").strip() or None}
        done = use(ASSIGN, actor=user, values=values, task=task)
    except DomainError as error:
        messages.error(request, sentence(error, ASSIGN))
    else:
        messages.success(request, outcome(ASSIGN, task.ref, done))
    return HttpResponseRedirect(way_back(request) or reverse("task", args=[task.ref]))
