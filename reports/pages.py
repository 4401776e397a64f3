"""The reports as pages: charts with their tables, filters in the URL, and files to download."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from reports.downloads import file_response
from reports.exports import OUTPUTS, as_json
from reports.facts import first_and_last_completion
from reports.parameters import BUCKETS, NAMES, Question, read_question
from reports.periods import DEFAULT_LENGTH, BucketSize
from reports.predefined import REPORTS
from reports.presentation import filters_of, shown
from reports.report import Report
from reports.running import answer
from reports.scopes import Scope
from taskproject.errors import Invalid, NotFound
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
    """All reports for one project and period, each with its charts."""
    return _page(request, list(REPORTS.values()), "reports/index.html")


@require_safe
@login_required
def report_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One report with its full tables; with ``output``, the same as a file."""
    if slug not in REPORTS:
        raise Http404
    return _page(request, [REPORTS[slug]], "reports/report.html")


def _page(request: HttpRequest, reports: list[Report], template: str) -> HttpResponse:
    now = clock.now()
    filters = filters_of(request.GET, NAMES[:-1])
    context: dict[str, Any] = {
        "filters": filters,
        "projects": Project.objects.visible_to(request.user).order_by("key").only("key", "name"),
        "sizes": BUCKETS,
        "zones": COMMON_ZONES,
        "zone": zone_of(request),
        "report": reports[0] if len(reports) == 1 else None,
    }
    try:
        question = read_question(request.GET, user=request.user, now=now, zone=zone_of(request))
    except NotFound:
        raise Http404 from None
    except Invalid as error:
        return render(request, template, context | {"error": error.detail}, status=400)
    answers = [answer(report, question.scope, question.period, now=now) for report in reports]
    if "output" in request.GET and len(answers) == 1:
        if question.output == "json":
            return JsonResponse(as_json(answers[0]), json_dumps_params={"ensure_ascii": False, "indent": 2})
        return file_response(answers[0], question.output)
    last_day = question.period.end - timedelta(microseconds=1)
    context |= {
        "question": question,
        "query": urlencode(filters),
        # Days and no times, which the template would take to the reader's zone.
        "first_day": question.period.start.astimezone(question.period.zone).date(),
        "last_day": last_day.astimezone(question.period.zone).date(),
        "reports": [shown(given) for given in answers],
        "outputs": [(output.upper(), urlencode(filters | {"output": output})) for output in OUTPUTS[::-1]],
        "presets": _presets(question, filters, now),
    }
    if not any(report.sample for report in context["reports"]):
        last = first_and_last_completion(question.scope)[1]
        context["last_completion"] = last and last.astimezone(question.period.zone).date()
        context["is_member"] = bool(question.scope.project_ids)
    return render(request, template, context)


def _presets(question: Question, filters: dict[str, str], now: datetime) -> list[tuple[str, str, bool]]:
    """Links to common periods as (text, query, is current); they keep project and time zone."""
    kept = {name: value for name, value in filters.items() if name in ("project", "tz")}
    presets = [
        (f"Last {DEFAULT_LENGTH[size]} {size}s", urlencode(kept | {"bucket": size.value}), _is_default(filters, size))
        for size in (BucketSize.DAY, BucketSize.WEEK, BucketSize.MONTH)
    ]
    if everything := _all_time(question.scope, question, now):
        is_current = all(filters.get(name) == value for name, value in everything.items()) and "to" not in filters
        presets.append(("All time", urlencode(kept | everything), is_current))
    return presets


def _is_default(filters: dict[str, str], size: BucketSize) -> bool:
    return "from" not in filters and "to" not in filters and filters.get("bucket", BucketSize.WEEK) == size


def _all_time(scope: Scope, question: Question, now: datetime) -> dict[str, str] | None:
    """Filters that start with the first completion, with buckets of a size that gives a readable chart."""
    first, _ = first_and_last_completion(scope)
    if first is None:
        return None
    days = (now - first).days
    size = BucketSize.DAY if days <= 45 else BucketSize.WEEK if days <= 400 else BucketSize.MONTH
    start = size.first_day(first.astimezone(question.period.zone).date())
    return {"from": start.isoformat(), "bucket": size.value}
