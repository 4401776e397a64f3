"""Views that people keep: the page that lists them, opening one, and what its forms do."""

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tasks.actions.saved_views import (
    delete_view,
    edit_view,
    find_view,
    save_view_once,
    views_of,
)
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.conditions.words import words_of
from tasks.errors import DomainError, Invalid, NotFound, NotPermitted
from tasks.models import Project, SavedView, ViewPlace
from tasks.owning import may_edit
from tasks.pages.returning import way_back
from tasks.pages.side_bar import address_of, count, groups_of, listed, plain_address, projects_offered
from tasks.permissions import managed_among
from tasks.viewed import read_viewed
from tasks.zones import zone_of

#: Views that the page lists.
MOST_LISTED = 300


@require_safe
@login_required
def saved_views(request: HttpRequest) -> HttpResponse:
    """All that the reader may see, with what they may do with each; ``change``: the id of the one that is changed."""
    user: Any = request.user
    rows = list(listed(user)[: MOST_LISTED + 1])
    managed = managed_among(user, {view.project_id for view in rows if view.project_id is not None})
    shown = [_row(user, view, request, managed) for view in rows[:MOST_LISTED]]
    context = {
        "own": [row for row in shown if row["view"].project is None],
        "shared": [row for row in shown if row["view"].project is not None],
        "is_cut": len(rows) > MOST_LISTED,
    }
    return render(request, "tasks/saved_views.html", context)


def _row(user: Any, view: SavedView, request: HttpRequest, managed: Collection[int]) -> dict[str, Any]:
    """``managed``: the projects (ids) that the reader manages."""
    try:
        words = words_of(read_viewed(view.place, view.query).condition, TASK_FIELDS, zone=zone_of(request))
        problem = ""
    except Invalid as mistake:
        words, problem = "", " ".join(mistake.sentences)
    is_open = request.GET.get("change") == str(view.pk)
    return {
        "view": view,
        "id": f"view-{view.pk}",
        "is_open": is_open,
        "projects": _projects_for(user, view) if is_open else None,
        "url": address_of(view),
        "words": words or "all tasks",
        "problem": problem,
        "may_edit": may_edit(user, view, managed=managed),
        "may_place": view.project_id is None or view.project_id in managed,
        "is_owner": view.owner_id == user.pk,
    }


def _projects_for(user: Any, view: SavedView) -> list[Project] | None:
    """Those to choose from; only its owner says whom a view is for."""
    return projects_offered(user, present=view.project) if view.owner_id == user.pk else None


@require_safe
@login_required
def side(request: HttpRequest) -> HttpResponse:
    """The views of the side bar with their counts; ``view``: the id of the one that is open."""
    groups = groups_of(request.user, request.GET.get("view", ""))
    count(request.user, (entry for group in groups for entry in group.entries))
    return render(request, "tasks/_side_views.html", {"groups": groups})


@require_safe
@login_required
def open_view(request: HttpRequest, id: int) -> HttpResponse:
    """Leads to where the view opens."""
    return HttpResponseRedirect(address_of(_find(request, id)))


@require_POST
@login_required
def save(request: HttpRequest) -> HttpResponse:
    """Keep the posted ``query`` of the posted ``place`` under a name, and open it."""
    user: Any = request.user
    place, query = request.POST.get("place", ""), request.POST.get("query", "")
    name, project = request.POST.get("name", "").strip(), request.POST.get("project", "")
    back = plain_address(place, query) if place in ViewPlace.values else reverse("board")
    try:
        read_viewed(place, query)
    except DomainError as error:
        messages.error(request, error.in_full)
        return HttpResponseRedirect(way_back(request) or back)
    try:
        view = save_view_once(actor=user, name=name, place=place, query=query, project=project or None)
    except DomainError as error:
        return _again(
            request,
            error,
            name=name,
            chosen=project,
            projects=projects_offered(user, named=read_viewed(place, query).projects),
            title="Save view",
            action=reverse("save_view"),
            back=way_back(request) or back,
            place=place,
            query=query,
        )
    messages.success(request, f"Saved the view {view.name}.")
    return HttpResponseRedirect(address_of(view))


def _again(request: HttpRequest, error: DomainError, **form: Any) -> HttpResponse:
    """The refused form as it was sent, with the sentence at its name, or above it if that is about something else."""
    is_of_name = isinstance(error, Invalid) and error.field == "name"
    problems = {"problem_of_name" if is_of_name else "problem": error.in_full}
    return render(request, "tasks/save_view.html", {**form, **problems}, status=error.status)


@require_POST
@login_required
def change(request: HttpRequest, id: int) -> HttpResponse:
    """Rename, share or take back, keep another query, or move among the others (``position``)."""
    user: Any = request.user
    view = _find(request, id)
    changes: dict[str, Any] = {name: request.POST[name].strip() for name in ("name", "query") if name in request.POST}
    if "project" in request.POST:
        changes["project"] = request.POST["project"] or None
    if (step := request.POST.get("move")) in ("up", "down"):
        changes["position"] = _place_of(user, view) + (1 if step == "down" else -1)
    try:
        view = edit_view(actor=user, view=view, changes=changes)
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    except DomainError as error:
        if "name" in changes:
            return _again(
                request,
                error,
                name=changes["name"],
                chosen=request.POST.get("project", view.project.key if view.project else ""),
                projects=_projects_for(user, view),
                title="Change the view",
                action=reverse("change_view", args=[view.pk]),
                back=reverse("saved_views"),
            )
        messages.error(request, error.in_full)
    else:
        messages.success(request, f"Saved the view {view.name}.")
    if "query" in changes:
        return HttpResponseRedirect(address_of(view))
    return HttpResponseRedirect(reverse("saved_views"))


def _place_of(user: Any, view: SavedView) -> int:
    """Where it is listed among those beside it."""
    beside = views_of(user).filter(project=view.project_id)
    if view.project_id is None:
        beside = beside.filter(owner=user)
    return list(beside.order_by("position", "pk").values_list("pk", flat=True)).index(view.pk)


@require_POST
@login_required
def delete(request: HttpRequest, id: int) -> HttpResponse:
    """Delete it, for all its readers."""
    user: Any = request.user
    view = _find(request, id)
    try:
        delete_view(actor=user, view=view)
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    messages.success(request, f"Deleted the view {view.name}.")
    return HttpResponseRedirect(reverse("saved_views"))


def _find(request: HttpRequest, id: int) -> SavedView:
    user: Any = request.user
    try:
        return find_view(user, id)
    except NotFound:
        raise Http404 from None
