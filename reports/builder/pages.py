"""The page that defines a report. All that is chosen is in its address; saving is a form of its own."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from reports import saving
from reports.builder import choices
from reports.builder.editing import DEFAULT, PASSING, Problem, problem_of, read_form
from reports.builder.form import Form, Kinds
from reports.builder.showing import shown_of
from reports.definitions import read
from reports.exports import OUTPUTS
from reports.models import SavedReport
from reports.pages import COMMON_ZONES
from reports.running import run
from reports.vocabulary import CONDITIONS, FACTS, Fact
from taskproject.errors import DomainError, NotFound
from taskproject.strict_json import DECODER, dumps, pretty
from tasks import clock, owning
from tasks.conditions import Context, Field
from tasks.zones import zone_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_report(request: HttpRequest) -> HttpResponse:
    """A report to define, and to save."""
    return _page(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_report(request: HttpRequest, id: int) -> HttpResponse:
    """A saved report to change, or to take as the beginning of another."""
    try:
        return _page(request, saving.find_saved_report(request.user, id))  # type: ignore[arg-type]
    except NotFound:
        raise Http404 from None


def _page(request: HttpRequest, saved: SavedReport | None) -> HttpResponse:
    if request.method == "POST":
        return _save(request, saved)
    form = read_form(request.GET, _table) if request.GET else _opened_with(saved)
    if any(name in request.GET for name in PASSING) or "" in request.GET.values():
        # The address of what is shown, without empty fields and without the button that was pressed.
        return HttpResponseRedirect(f"{request.path}?{form.query}")
    return render(request, "reports/builder.html", _context(request, saved, form))


def _opened_with(saved: SavedReport | None) -> Form:
    return DEFAULT if saved is None else Form.of_definition(saved.definition)


def _save(request: HttpRequest, saved: SavedReport | None) -> HttpResponse:
    """Keep the definition that was sent: as a new report, or as the next version of the one that is edited."""
    entered = {name: request.POST.get(name, "") for name in ("name", "description", "project")}
    text = request.POST.get("definition", "")
    try:
        definition = DECODER.decode(text)
    except (ValueError, RecursionError):
        definition = None
    fields = {"name": entered["name"].strip(), "description": entered["description"].strip(), "definition": definition}
    fields["project"] = entered["project"] or None
    try:
        if saved is not None and request.POST.get("do") == "change":
            version = request.POST.get("version", "")
            expected = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else -1
            report = saving.edit_report(
                actor=request.user,  # type: ignore[arg-type]
                report=saved,
                changes={"definition": definition},
                expected_version=expected,
            )
        else:
            report = saving.save_report_once(actor=request.user, **fields)  # type: ignore[arg-type]
    except DomainError as error:
        context = _context(request, saved, Form.of_definition(definition))
        context |= {"entered": entered, "refused": error.sentence}
        return render(request, "reports/builder.html", context, status=error.status)
    messages.success(request, f"Saved {report.name}.")
    return HttpResponseRedirect(reverse("saved_report", args=[report.pk]))


def _table(fact: Fact) -> Mapping[str, Field]:
    return CONDITIONS[fact.name]


def kinds_of(fact: Fact | None) -> Kinds:
    """What values the conditions of ``fact`` have."""

    def kind(name: str) -> str | None:
        known = _table(fact).get(name) if fact is not None else None
        return known.kind.value if known is not None else None

    return kind


def _context(request: HttpRequest, saved: SavedReport | None, form: Form) -> dict[str, Any]:
    user: Any = request.user
    now, zone = clock.now(), zone_of(request)
    fact = FACTS.get(form.facts)
    definition = form.definition(kinds_of(fact))
    problem, given = None, None
    try:
        given = run(read(definition), user=user, now=now, zone=zone)
    except DomainError as error:
        problem = problem_of(error, form)
    context: dict[str, Any] = {
        "saved": saved,
        "may_edit": saved is not None and owning.may_edit(user, saved),
        "form": form,
        "fact": fact,
        "problem": problem or Problem(""),
        "definition": dumps(definition).decode(),
        "definition_shown": pretty(definition),
        "projects": owning.projects_to_share(user),
        "facts": choices.facts(form),
        "zones": COMMON_ZONES,
        "zone": zone,
        "outputs": [output.upper() for output in OUTPUTS[::-1]],
    }
    if given is not None:
        context |= {"answer": given, "shown": shown_of(given, user=user)}
    if fact is not None:
        table = _table(fact)
        context |= {
            "measures": choices.measures(form, fact),
            "dimensions": choices.dimensions(form, fact),
            "moments": choices.moments(form, fact),
            "buckets": choices.options(choices.BUCKET_LABELS, form.bucket),
            "units": choices.options(choices.UNITS, form.unit or "week"),
            "conditions": [choices.condition(number, row, table) for number, row in enumerate(form.rows)],
            "fields": choices.fields(table),
            "suggestions": choices.suggestions(form.rows, table, Context(user, zone, now)),
            "orders": choices.orders(form, fact),
            "charts": choices.charts(form),
        }
    return context
