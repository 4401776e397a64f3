"""The pages of saved reports: the list, and one with its figures, shown like a predefined one."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reports import saving
from reports.builder.showing import shown_of
from reports.downloads import file_response
from reports.exports import OUTPUTS, as_json
from reports.models import SavedReport
from reports.parameters import refuse_parameters
from reports.report import Answer
from reports.schedule_pages import of_report
from taskproject.errors import DomainError, Invalid, NotFound, NotPermitted, unknown_choice
from tasks import owning
from tasks.zones import zone_of

#: Reports on a page of the list.
PAGE = 50


@require_safe
@login_required
def saved_reports(request: HttpRequest) -> HttpResponse:
    """All that the user may read, by name; ``q`` looks for words."""
    user: Any = request.user
    words = request.GET.get("q", "").replace("\0", "").strip()[:200]
    rows = saving.reports_of(user).with_words(words).order_by("name", "pk")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "reports/saved_list.html", {"page": page, "words": words, "total": page.paginator.count})


@require_safe
@login_required
def saved_report(request: HttpRequest, id: int) -> HttpResponse:
    """One saved report with the figures of its reader; with ``output``, as a file."""
    user: Any = request.user
    report = _find(user, id)
    context: dict[str, Any] = {
        "saved": report,
        "may_edit": owning.may_edit(user, report),
        "projects": owning.projects_to_share(user),
        "is_owner": report.owner_id == user.pk,
        "outputs": [(output.upper(), urlencode({"output": output})) for output in OUTPUTS[::-1]],
    }
    if "output" not in request.GET:
        context |= of_report(user, report)
    try:
        refuse_parameters(request.GET, ("output", "tz"))
        given = saving.run_saved_report(
            user=user, report=report, zone=zone_of(request), tz=request.GET.get("tz") or None
        )
        if (output := request.GET.get("output")) is not None:
            return _file(given, output)
    except DomainError as error:
        return render(request, "reports/saved.html", context | {"problem": error.detail}, status=error.status)
    return render(request, "reports/saved.html", context | {"answer": given, "shown": shown_of(given, user=user)})


def _file(given: Answer, output: str) -> HttpResponse:
    if output not in OUTPUTS:
        raise Invalid({"output": unknown_choice(output, OUTPUTS, what="output")})
    if output == "json":
        return JsonResponse(as_json(given), json_dumps_params={"ensure_ascii": False, "indent": 2})
    return file_response(given, output)


@require_POST
@login_required
def change_saved_report(request: HttpRequest, id: int) -> HttpResponse:
    """Rename, describe, share or take back."""
    user: Any = request.user
    report = _find(user, id)
    changes: dict[str, Any] = {
        name: request.POST[name].strip() for name in ("name", "description") if name in request.POST
    }
    if "project" in request.POST:
        changes["project"] = request.POST["project"] or None
    try:
        saving.edit_report(actor=user, report=report, changes=changes)
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    except DomainError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, "Saved.")
    try:
        _find(user, id)
    except Http404:
        # A manager gave it back to its owner, who alone reads it now.
        return HttpResponseRedirect(reverse("saved_reports"))
    return HttpResponseRedirect(reverse("saved_report", args=[report.pk]))


@require_POST
@login_required
def delete_saved_report(request: HttpRequest, id: int) -> HttpResponse:
    """Delete it, for all its readers."""
    user: Any = request.user
    report = _find(user, id)
    try:
        saving.delete_report(actor=user, report=report)
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    messages.success(request, f"Deleted {report.name}.")
    return HttpResponseRedirect(reverse("saved_reports"))


def _find(user: Any, id: int) -> SavedReport:
    try:
        return saving.find_saved_report(user, id)
    except NotFound:
        raise Http404 from None
