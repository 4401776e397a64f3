"""The pages of dashboards: the list, one with its reports, and the forms that change it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reports import saving
from reports.dashboards import keeping
from reports.dashboards.showing import tiles_of
from reports.models import Dashboard
from reports.predefined import REPORTS
from taskproject.errors import DomainError, NotFound, NotPermitted
from tasks import clock, owning
from tasks.zones import zone_of

#: Of the list, and of the saved reports that can be chosen.
MOST = 200


@require_safe
@login_required
def dashboards(request: HttpRequest) -> HttpResponse:
    """All that the user may read, and the form for a new one."""
    user: Any = request.user
    context = {"dashboards": keeping.dashboards_of(user)[:MOST], "projects": owning.projects_to_share(user)}
    return render(request, "reports/dashboards.html", context)


@login_required
def new_dashboard(request: HttpRequest) -> HttpResponse:
    """Make one from the form on the list; whoever reloads or types this address is led to that form."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("dashboards"))
    user: Any = request.user
    name, project = request.POST.get("name", "").strip(), request.POST.get("project") or None
    try:
        made = keeping.make_dashboard(actor=user, name=name, project=project)
    except DomainError as error:
        messages.error(request, error.sentence)
        return HttpResponseRedirect(reverse("dashboards"))
    return HttpResponseRedirect(reverse("dashboard", args=[made.pk]))


@require_safe
@login_required
def dashboard(request: HttpRequest, id: int) -> HttpResponse:
    """One dashboard with the figures of its reader."""
    user: Any = request.user
    shown = _find(user, id)
    may_edit = owning.may_edit(user, shown)
    tiles = tiles_of(shown, user=user, now=clock.now(), zone=zone_of(request))
    context: dict[str, Any] = {"dashboard": shown, "tiles": tiles, "may_edit": may_edit}
    if may_edit:
        there = {item["report"] for item in shown.items}
        context["predefined"] = [report for slug, report in REPORTS.items() if slug not in there]
        context["saved_reports"] = saving.reports_of(user).exclude(pk__in=[pk for pk in there if isinstance(pk, int)])[
            :MOST
        ]
    return render(request, "reports/dashboard.html", context)


@require_POST
@login_required
def change_dashboard(request: HttpRequest, id: int) -> HttpResponse:
    """``do``: add or move a report, rename or delete the dashboard."""
    user: Any = request.user
    shown = _find(user, id)
    do = request.POST.get("do", "")
    try:
        if do == "delete":
            keeping.delete_dashboard(actor=user, dashboard=shown)
            messages.success(request, f"Deleted {shown.name}.")
            return HttpResponseRedirect(reverse("dashboards"))
        if do == "rename":
            changes = {"name": request.POST.get("name", "").strip()}
            keeping.change_dashboard(actor=user, dashboard=shown, changes=changes)
        elif do == "add":
            size = request.POST.get("size", "half")
            keeping.add_item(actor=user, dashboard=shown, report=_report_of(request), size=size)
        else:
            keeping.move_item(actor=user, dashboard=shown, report=_report_of(request), move=do)
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    except DomainError as error:
        messages.error(request, error.sentence)
    return HttpResponseRedirect(reverse("dashboard", args=[shown.pk]) + ("#arrange" if do != "rename" else ""))


def _report_of(request: HttpRequest) -> str | int:
    text = request.POST.get("report", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else text


def _find(user: Any, id: int) -> Dashboard:
    try:
        return keeping.find_dashboard(user, id)
    except NotFound:
        raise Http404 from None
