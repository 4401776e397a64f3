"""The page of one agent: its skills, its record, what it works on and what it was offered."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from tasks import clock
from tasks.assignment.track_record import track_record
from tasks.models import Agent, Assignment, AssignmentEnd, Project, Run
from tasks.pages.agents import AgentCard
from tasks.pages.last_day import last_days
from tasks.permissions import manages_a_project_of, may_describe, may_offer_sign_in, where_evidence_shows
from tasks.using.places import places_of
from tasks.using.tokens import may_have_tokens

SHOWN = 50
RECENT = 20


@login_required
def agent(request: HttpRequest, slug: str) -> HttpResponse:
    """An agent that shares a project with the user; tasks of other projects are counted, not shown."""
    user: Any = request.user
    selected = (
        Agent.objects.visible_to(user)
        .filter(slug=slug)
        .distinct()
        .with_load()
        .prefetch_related("skills__skill")
        .first()
    )
    if selected is None:
        raise Http404
    now = clock.now()
    managed = where_evidence_shows(user)
    projects = list(Project.objects.visible_to(user).values_list("pk", flat=True))
    runs = Run.objects.filter(agent=selected, task__project__in=projects).select_related("task__project")
    waiting = Assignment.objects.unstarted().filter(agent=selected, task__project__in=projects)
    turned_down = Assignment.objects.filter(
        agent=selected, task__project__in=projects, end_reason__in=(AssignmentEnd.DECLINED, AssignmentEnd.LAPSED)
    )
    card = AgentCard(selected, now, selected.active_runs, list(runs.active().order_by("started_at")[:SHOWN]))  # type: ignore[attr-defined]
    card.day = last_days([selected.pk], projects, now)[selected.pk]
    context = {
        "card": card,
        "agent": selected,
        # Only managers may see how good an agent is, each for their own projects.
        "record": track_record(selected, now, managed) if manages_a_project_of(user, selected) else None,
        "is_of_all_projects": managed is None,
        "waiting": waiting.select_related("task__project").order_by("pk")[:SHOWN],
        "recent": runs.filter(ended_at__isnull=False).order_by("-started_at")[:RECENT],
        "turned_down": turned_down.select_related("task__project").order_by("-ended_at")[:RECENT],
        "places": places_of(selected, user),
        "may_have_tokens": may_have_tokens(user, selected),
        "may_offer_sign_in": may_offer_sign_in(user, selected),
        "may_edit": user.is_staff and may_describe(user, selected),
    }
    return render(request, "tasks/agent.html", context)
