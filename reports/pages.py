"""The reports as pages: an overview whose cards come one by one, charts with their tables, and files to download."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from reports.behind import href_of
from reports.builder.opening import changes_of
from reports.downloads import file_response
from reports.exports import OUTPUTS, as_json
from reports.filling import FILLED_BY
from reports.parameters import BUCKETS, NAMES, Question, read_question
from reports.predefined import REPORTS
from reports.presentation import card, filters_of, grouped, shown
from reports.ranges import first_and_last_fact, has_facts, is_all_time, presets, with_all_time
from reports.report import Report
from reports.running import answer
from reports.saving import overview
from reports.tables import days_of
from taskproject.errors import DomainError, Invalid, NotFound
from tasks import clock
from tasks.models import Project
from tasks.zones import zone_of

COMMON_ZONES = (
    "UTC", "America/Los_Angeles", "America/Denver", "America/Chicago", "America/New_York", "America/Sao_Paulo",
    "Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Athens", "Africa/Johannesburg", "Africa/Lagos",
    "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney",
    "Pacific/Auckland",
)  # fmt: skip


@require_safe
@login_required
def report_list(request: HttpRequest) -> HttpResponse:
    """All reports for one project and period. It counts nothing: its script asks ``report_card`` for the figures."""
    user: Any = request.user
    context = _context(request) | {"saved": overview(user)}
    question = _question(request, context)
    if question is None:
        return render(request, "reports/index.html", context, status=400)
    if has_facts(question.scope, question.period):
        context["groups"] = grouped(REPORTS.values())
    else:
        # Where nothing has happened, what could have been is no overview.
        context |= _emptiness(question)
    return render(request, "reports/index.html", context)


@require_safe
@login_required
def report_card(request: HttpRequest, slug: str) -> HttpResponse:
    """The first figures of one report and a small chart, as a part of the overview; or one sentence why not."""
    report = _find(slug)
    context = _context(request)
    if (question := _question(request, context)) is not None:
        try:
            context["card"] = card(answer(report, question.scope, question.period, now=clock.now()))
        except DomainError as error:
            context["error"] = error.sentence
    return render(request, "reports/_card.html", context)


@require_safe
@login_required
def report_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One report with its charts and tables; with ``output``, the same as a file."""
    report = _find(slug)
    context = _context(request) | {"report": report}
    question = _question(request, context)
    if question is None:
        return render(request, "reports/report.html", context, status=400)
    try:
        given = answer(report, question.scope, question.period, now=clock.now())
    except DomainError as error:
        return render(request, "reports/report.html", context | {"error": error.sentence}, status=error.status)
    if "output" in request.GET:
        if question.output == "json":
            return JsonResponse(as_json(given), json_dumps_params={"ensure_ascii": False, "indent": 2})
        return file_response(given, question.output)
    filters = context["filters"]
    context |= {
        "shown": shown(given, href=href_of(given)),
        "changes": changes_of(given),
        "outputs": [(output.upper(), urlencode(filters | {"output": output})) for output in OUTPUTS[::-1]],
    }
    if not context["shown"].has_figures:
        context |= _emptiness(question) | {"filled_by": FILLED_BY.get(slug, "")}
    return render(request, "reports/report.html", context)


def _find(slug: str) -> Report:
    if slug not in REPORTS:
        raise Http404
    return REPORTS[slug]


def _context(request: HttpRequest) -> dict[str, Any]:
    """What every page of reports shows: the filters with what can be chosen."""
    filters = filters_of(request.GET, NAMES[:-1])
    return {
        "filters": filters,
        "query": urlencode(filters),
        "projects": Project.objects.visible_to(request.user).order_by("key").only("key", "name"),
        "sizes": BUCKETS,
        "zones": COMMON_ZONES,
        "zone": zone_of(request),
        "presets": presets(filters),
    }


def _question(request: HttpRequest, context: dict[str, Any]) -> Question | None:
    """What the request asks, in a period that fits the facts if it names none; None, and why, if it cannot be read."""
    now = clock.now()
    try:
        question = read_question(request.GET, user=request.user, now=now, zone=zone_of(request))
        if is_all_time(context["filters"]):
            fitted = with_all_time(request.GET, question, now)
            question = read_question(fitted, user=request.user, now=now, zone=zone_of(request))
    except NotFound:
        raise Http404 from None
    except Invalid as error:
        context["error"] = error.detail
        return None
    context["question"] = question
    # Days and no times, which the template would take to the reader's zone.
    context["first_day"], context["last_day"] = days_of(question.period)
    return question


def _emptiness(question: Question) -> dict[str, Any]:
    """Why there is nothing to show: what there is outside of the period, or that there are no projects."""
    _, last = first_and_last_fact(question.scope)
    return {
        "last_fact": last and last.astimezone(question.period.zone).date(),
        "is_member": bool(question.scope.project_ids),
    }
