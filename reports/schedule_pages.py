"""The pages of schedules: the list of one's own, and the forms that add, change and delete them."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reports import saving
from reports.models import ReportSchedule, SavedReport, ScheduleOutput
from reports.schedules import keeping
from reports.schedules.cron import EXAMPLES, in_words
from taskproject.errors import DomainError, NotFound
from tasks.zones import zone_of


@require_safe
@login_required
def report_schedules(request: HttpRequest) -> HttpResponse:
    """All schedules of the user."""
    user: Any = request.user
    rows = keeping.schedules_of(user).order_by("report__name", "pk")
    context = {
        "schedules": [shown(row) for row in rows],
        "schedule_outputs": ScheduleOutput.choices,
        "names_report": True,
    }
    return render(request, "reports/schedules.html", context)


def of_report(request: HttpRequest, report: SavedReport) -> dict[str, Any]:
    """What the page of ``report`` shows of its reader's schedules."""
    user: Any = request.user
    return {
        "schedules": [shown(row) for row in keeping.schedules_of(user).filter(report=report)],
        "schedule_outputs": ScheduleOutput.choices,
        "cron_examples": EXAMPLES,
        "schedule_tz": zone_of(request).key,
        "has_address": keeping.has_address(user),
    }


def shown(schedule: ReportSchedule) -> dict[str, Any]:
    """``schedule`` with its times in words."""
    return {"row": schedule, "words": in_words(schedule.cron)}


@require_POST
@login_required
def add_schedule(request: HttpRequest, id: int) -> HttpResponse:
    """Send the saved report to the user at times that the form names."""
    user: Any = request.user
    try:
        report = saving.find_saved_report(user, id)
    except NotFound:
        raise Http404 from None
    given = {name: request.POST.get(name, "").strip() for name in ("cron", "tz", "output")}
    try:
        keeping.add_schedule(actor=user, report=report, **given)
    except DomainError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, "You get it by mail.")
    return HttpResponseRedirect(reverse("saved_report", args=[report.pk]) + "#by-mail")


@require_POST
@login_required
def change_schedule(request: HttpRequest, id: int) -> HttpResponse:
    """``do``: save other times, pause, resume or delete."""
    user: Any = request.user
    try:
        schedule = keeping.find_schedule(user, id)
    except NotFound:
        raise Http404 from None
    do = request.POST.get("do", "save")
    done = {"delete": "Deleted.", "pause": "Paused.", "resume": "It is sent again."}.get(do, "Saved.")
    try:
        if do == "delete":
            keeping.delete_schedule(actor=user, schedule=schedule)
        elif do in ("pause", "resume"):
            keeping.change_schedule(actor=user, schedule=schedule, changes={"active": do == "resume"})
        else:
            names = [name for name in ("cron", "tz", "output") if name in request.POST]
            changes = {name: request.POST[name].strip() for name in names}
            keeping.change_schedule(actor=user, schedule=schedule, changes=changes)
    except DomainError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, done)
    if request.POST.get("back") == "report" and saving.reports_of(user).filter(pk=schedule.report_id).exists():
        return HttpResponseRedirect(reverse("saved_report", args=[schedule.report_id]) + "#by-mail")
    return HttpResponseRedirect(reverse("report_schedules"))
