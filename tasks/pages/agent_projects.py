"""Where an agent works, on its page: managers pause it in their project or remove it, its owner takes it out."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from tasks.actions.members import pause_member
from tasks.actions.projects import remove_member
from tasks.errors import DomainError, Invalid
from tasks.models import Agent, Project
from tasks.using.places import places_of


@require_POST
@login_required
def agent_project(request: HttpRequest, slug: str) -> HttpResponse:
    """Does what the button ``do`` says in the project ``project``: pause, resume or remove."""
    user = request.user
    assert isinstance(user, User)
    agent = get_object_or_404(Agent.objects.visible_to(user).select_related("user").distinct(), slug=slug)
    key = request.POST.get("project", "")
    place = next((place for place in places_of(agent, user) if place.membership.project.key == key), None)
    if place is None:
        raise Http404
    try:
        messages.success(request, _do(user, agent, place.membership.project, request.POST.get("do", "")))
    except DomainError as error:
        messages.error(request, error.detail)
    seen = Agent.objects.visible_to(user).filter(pk=agent.pk).exists()
    return HttpResponseRedirect(reverse("agent", args=[slug]) if seen else reverse("agents"))


def _do(user: User, agent: Agent, project: Project, button: str) -> str:
    """Returns a sentence about the outcome. Raises ``DomainError``."""
    verbs: dict[str, Callable[[], Any]] = {
        "pause": lambda: pause_member(actor=user, project=project, agent=agent, paused=True),
        "resume": lambda: pause_member(actor=user, project=project, agent=agent, paused=False),
        "remove": lambda: remove_member(actor=user, project=project, user=agent.user),
    }
    if button not in verbs:
        raise Invalid({"do": "There is no such button."})
    verbs[button]()
    return {
        "pause": f"{agent.slug} takes no more work in {project.key}.",
        "resume": f"{agent.slug} takes work in {project.key} again.",
        "remove": f"{agent.slug} is no longer in {project.key}.",
    }[button]
