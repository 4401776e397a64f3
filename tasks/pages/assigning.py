"""Giving a task to one agent from any page that offers it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tasks import clock
from tasks.errors import DomainError, Invalid
from tasks.models import Agent, Membership, Role, Task
from tasks.pages.returning import way_back
from tasks.pages.task import find_task
from tasks.permissions import require
from tasks.using.calling import outcome, use
from tasks.using.openness import Scene
from tasks.using.posting import sentence
from tasks.verbs.catalogue import ASSIGN

MOST_CHOICES = 200


def _why_not(scene: Scene) -> str:
    """Why the actor cannot assign the task; empty if they can."""
    task = scene.task
    if not scene.is_permitted(ASSIGN):
        try:
            require(scene.actor, "assign", task)
        except DomainError as error:
            return error.sentence
    if task.status not in ASSIGN.statuses:
        return f"{task.ref} is {task.get_status_display().lower()}; only open tasks can be assigned."
    return ""


def _choices(task: Task) -> list[Agent]:
    """Who may be given the task: the members of its project who work, as many as a choice shows."""
    members = Membership.objects.filter(project=task.project_id, user__is_active=True).exclude(role=Role.VIEWER)
    return list(Agent.objects.filter(enabled=True, user__in=members.values("user")).order_by("slug")[:MOST_CHOICES])


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def assign_task(request: HttpRequest, ref: str) -> HttpResponse:
    """Assign the task to the posted ``agent`` with a ``note``, then lead back; those assigned stay assigned.

    A GET shows the form, or the sentence that says why the reader cannot assign it.
    """
    task = find_task(request, ref)
    user: Any = request.user
    if request.method != "POST":
        why = _why_not(Scene(user, task, clock.now()))
        shown = {"task": task, "why": why, "agents": [] if why else _choices(task)}
        return render(request, "tasks/assign.html", shown)
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
