"""The pages of schedules: the list of one's own, one with its form and its last sending, and what ends it by a link."""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reports import saving
from reports.models import ReportSchedule, SavedReport, ScheduleOutput
from reports.schedules import keeping
from reports.schedules.cron import in_words, next_times
from reports.schedules.outbox import outcomes_of
from reports.schedules.stopping import scheduled_by
from reports.schedules.stopping import stop_schedule as stop
from reports.schedules.times import CHOICES, Times, times_of
from taskproject.errors import DomainError, Invalid, NotFound
from taskproject.zones import known_zone, known_zones
from tasks import clock
from tasks.zones import zone_of

#: How many of the next times a page shows.
AHEAD: Final = 3
DONE: Final = {"delete": "Deleted.", "pause": "Paused.", "resume": "Resumed."}


@require_safe
@login_required
def report_schedules(request: HttpRequest) -> HttpResponse:
    """All schedules of the user."""
    user: Any = request.user
    rows = keeping.schedules_of(user).order_by("report__name", "pk")
    context = {"schedules": shown(user, rows), "names_report": True}
    return render(request, "reports/schedules.html", context)


def of_report(user: Any, report: SavedReport) -> dict[str, Any]:
    """What the page of ``report`` shows of its reader's schedules."""
    rows = keeping.schedules_of(user).filter(report=report)
    return {"schedules": shown(user, rows), "has_address": keeping.has_address(user)}


def shown(user: Any, schedules: Iterable[ReportSchedule]) -> list[dict[str, Any]]:
    """Schedules of ``user`` with their times in words, the next ones, and what became of the last mail."""
    rows = list(schedules)
    readable = set(saving.reports_of(user).filter(pk__in={row.report_id for row in rows}).values_list("pk", flat=True))
    outcomes = outcomes_of([row.last_key for row in rows if row.last_key])
    return [
        {
            "row": row,
            "words": in_words(row.cron),
            "next": _next_of(row),
            "outcome": outcomes.get(row.last_key, ""),
            "is_readable": row.report_id in readable,
        }
        for row in rows
    ]


def _next_of(schedule: ReportSchedule) -> list[Any]:
    zone = known_zone(schedule.tz)
    if schedule.next_at is None or zone is None:
        return []
    return [schedule.next_at, *next_times(schedule.cron, zone, max(schedule.next_at, clock.now()), AHEAD - 1)]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add_schedule(request: HttpRequest, id: int) -> HttpResponse:
    """Send the saved report to the user at times that the form names."""
    user: Any = request.user
    try:
        report = saving.find_saved_report(user, id)
    except NotFound:
        raise Http404 from None
    entered = _entered(request, Times(), zone_of(request).key, ScheduleOutput.XLSX)
    context = {"report": report, "has_address": keeping.has_address(user)} | _form(entered)
    if request.method != "POST":
        return render(request, "reports/schedule.html", context)
    try:
        keeping.add_schedule(
            actor=user, report=report, cron=entered["times"].as_cron(), tz=entered["tz"], output=entered["output"]
        )
    except DomainError as error:
        return render(request, "reports/schedule.html", context | _problem(error), status=error.status)
    messages.success(request, "Scheduled: you will get it by e-mail.")
    return HttpResponseRedirect(reverse("saved_report", args=[report.pk]) + "#by-mail")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def report_schedule(request: HttpRequest, id: int) -> HttpResponse:
    """One schedule: its next times, its last sending, and the form that changes it."""
    user: Any = request.user
    schedule = _find(user, id)
    entered = _entered(request, times_of(schedule.cron), schedule.tz, schedule.output)
    problem: dict[str, Any] = {}
    status = 200
    if request.method == "POST":
        changes = {"tz": entered["tz"], "output": entered["output"]}
        try:
            changes["cron"] = entered["times"].as_cron()
            keeping.change_schedule(actor=user, schedule=schedule, changes=changes)
        except NotFound:
            raise Http404 from None
        except DomainError as error:
            problem, status = _problem(error), error.status
        else:
            messages.success(request, "Saved.")
            return HttpResponseRedirect(reverse("report_schedule", args=[schedule.pk]))
    (present,) = shown(user, [schedule])
    context = {"report": schedule.report, "schedule": present, "has_address": keeping.has_address(user)}
    return render(request, "reports/schedule.html", context | _form(entered) | problem, status=status)


@require_POST
@login_required
def change_schedule(request: HttpRequest, id: int) -> HttpResponse:
    """``do``: pause, resume or delete."""
    user: Any = request.user
    schedule = _find(user, id)
    do, back = request.POST.get("do", ""), request.POST.get("back", "")
    try:
        if do == "delete":
            keeping.delete_schedule(actor=user, schedule=schedule)
        elif do in DONE:
            keeping.change_schedule(actor=user, schedule=schedule, changes={"active": do == "resume"})
    except DomainError as error:
        messages.error(request, error.sentence)
    else:
        if do in DONE:
            messages.success(request, DONE[do])
    if back == "schedule" and do != "delete":
        return HttpResponseRedirect(reverse("report_schedule", args=[schedule.pk]))
    if back and saving.reports_of(user).filter(pk=schedule.report_id).exists():
        return HttpResponseRedirect(reverse("saved_report", args=[schedule.report_id]) + "#by-mail")
    return HttpResponseRedirect(reverse("report_schedules"))


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop_schedule(request: HttpRequest, token: str) -> HttpResponse:
    """End a schedule without signing in: one click of a mail program (RFC 8058), or a button.

    GET shows the button and changes nothing. The token is the authority, for this alone.
    """
    known = scheduled_by(token)
    context: dict[str, Any] = {"is_known": known is not None}
    if known is not None:
        schedule, owner = known
        if request.method == "POST":
            stop(schedule=schedule, owner=owner)
        row = ReportSchedule.objects.filter(pk=schedule, owner=owner, next_at__isnull=False).first()
        context |= {"is_done": row is None, "row": row, "words": in_words(row.cron) if row is not None else ""}
    response = render(request, "reports/stop_schedule.html", context, status=200 if known is not None else 404)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _find(user: Any, id: int) -> ReportSchedule:
    try:
        return keeping.find_schedule(user, id)
    except NotFound:
        raise Http404 from None


def _entered(request: HttpRequest, times: Times, tz: str, output: str) -> dict[str, Any]:
    """What the form has: what was sent, else what is."""
    sent = request.POST if request.method == "POST" else {}

    def given(name: str, present: str) -> str:
        return str(sent.get(name, present)).strip()

    days = given("days", "cron" if "cron" in sent else times.days)
    return {
        "times": Times(days, given("at", times.at), given("cron", times.cron)),
        "tz": given("tz", tz),
        "output": given("output", output),
    }


def _form(entered: dict[str, Any]) -> dict[str, Any]:
    return {
        "entered": entered,
        "days_choices": CHOICES,
        "zones": sorted(known_zones()),
        "schedule_outputs": ScheduleOutput.choices,
    }


def _problem(error: DomainError) -> dict[str, Any]:
    """The sentence that refuses, and the field that it is about."""
    return {"problem": error.sentence, "problem_field": error.field if isinstance(error, Invalid) else ""}
