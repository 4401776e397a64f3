"""The page behind a figure: the facts that it counts, a row each, also as files."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from reports.behind.cells import behind, measured_in
from reports.behind.reading import NAMES, Asked, moment_of, read_asked
from reports.behind.rows import Shown, Sight, sight_of
from reports.columns import Column
from reports.definitions import Cell, columns
from reports.formats import figure
from reports.limits import limited
from reports.vocabulary import CONDITIONS
from taskproject.errors import DomainError, Invalid, NotFound
from taskproject.keyset import NotAPlace, Place, page_of, read_place
from taskproject.sheets import Heading, csv_of, file_response, plain, xlsx_of
from taskproject.times import FIRST, LAST
from tasks import clock
from tasks.conditions.words import words_of
from tasks.zones import zone_of

SHOWN: Final = 50
MOST_ROWS: Final = 20_000
ROWS_AT_ONCE: Final = 500
TEMPLATE = "reports/behind.html"


@require_safe
@login_required
def behind_page(request: HttpRequest) -> HttpResponse:
    """The facts behind the figure that the address names; with ``output``, as a file."""
    now = clock.now()
    try:
        asked = read_asked(request.GET, user=request.user, zone=zone_of(request))
        with limited():
            facts = behind(asked.definition, asked.cell, asked.scope, now=now, user=request.user)
            count = facts.count()
            if asked.output:
                return _file(asked, facts, count, now)
            shown = _shown(request, asked, facts, now)
    except NotFound:
        raise Http404 from None
    except DomainError as error:
        return render(request, TEMPLATE, {"error": error.detail}, status=error.status)
    context = shown | {"asked": asked, "about": about(asked, count), "count": f"{count:,}", "is_single": count == 1}
    return render(request, TEMPLATE, context)


def _shown(request: HttpRequest, asked: Asked, facts: QuerySet, now: datetime) -> dict[str, Any]:
    sight = sight_of(asked.definition, whole=False)
    column = moment_of(asked.definition)
    page = page_of(sight.with_values(facts, now), column, _place(asked, facts, column), descending=True, limit=SHOWN)
    rows = sight.show(page.rows)
    filled = [each for each in sight.columns if any(row.values[each.name] is not None for row in rows)]
    kept = {name: request.GET[name] for name in NAMES if request.GET.get(name) and name not in ("cursor", "output")}

    def address(**more: str) -> str:
        return f"?{urlencode(kept | more)}"

    return {
        "headings": filled,
        "rows": [(row, [_cell(row, each) for each in filled]) for row in rows],
        "next_url": address(cursor=str(page.next)) if page.next else "",
        "previous_url": address(cursor=str(page.previous)) if page.previous else "",
        "first_url": address(),
        "outputs": [(kind.upper(), address(output=kind)) for kind in ("csv", "xlsx")],
    }


def _place(asked: Asked, facts: QuerySet, column: str) -> Place | None:
    if not asked.cursor:
        return None
    try:
        return read_place(asked.cursor, facts, column)
    except NotAPlace:
        raise Invalid({"cursor": "It is not one of ours; go back to the first page."}) from None


def _cell(row: Shown, column: Column) -> tuple[str, Any]:
    """How a value is shown: ``time`` with the time, else as text; figures stand to the right."""
    value = row.values[column.name]
    if column.role == "time":
        return "time", value
    if column.role == "dimension":
        return "text", value or "—"
    return "number", figure(value, column.unit)


def about(asked: Asked, count: int) -> list[tuple[str, str]]:
    """Which facts these are, in words: name and value of each thing that narrows them.

    Without any fact, words of the address stay as they are: whatever they name may be out of the reader's sight.
    """
    definition, cell, zone = asked.definition, asked.cell, asked.zone
    sight = sight_of(definition, whole=True)
    fact = sight.fact
    moment = fact.moment(definition.time.on) if definition.time is not None else fact.moments[0]
    lines = [("Figure", _label(asked)), (moment.label, _span(cell, zone))]
    for name, word in cell.words.items():
        dimension = fact.dimension(name)
        labels = dimension.labels({word}) if count else {}
        lines.append((dimension.label, labels.get(word, word) or dimension.nothing))
    if definition.where is not None:
        lines.append(("Where", words_of(definition.where, CONDITIONS[fact.name], zone=zone) or "everything"))
    lines.append(("Project", asked.scope.project.key if asked.scope.project else "all of yours"))
    return lines


def _span(cell: Cell, zone: ZoneInfo) -> str:
    """From when to when; what begins with the first time that there is, or ends with the last, has no such bound."""
    start, end = (f"{each.astimezone(zone):%-d %b %Y, %H:%M}" for each in (cell.start, cell.end))
    if cell.start > FIRST:
        return f"from {start} up to {end} ({zone.key})"
    return f"before {end} ({zone.key})" if cell.end < LAST else "at any time"


def _label(asked: Asked) -> str:
    shown = {column.name: column.label for column in columns.of(asked.definition)}
    measured = measured_in(asked.definition, asked.cell.column)
    assert measured is not None
    return shown[asked.cell.column]


def _file(asked: Asked, facts: QuerySet, count: int, now: datetime) -> HttpResponse:
    if count > MOST_ROWS:
        raise Invalid({"output": f"A file has at most {MOST_ROWS:,} rows, and these are {count:,}."})
    sight = sight_of(asked.definition, whole=True)
    headings = [
        Heading("ref", "Task", width=12),
        Heading("title", "Title", width=60),
        *(Heading(each.name, each.label, each.unit, 20) for each in sight.columns),
    ]
    rows = _cells(sight, asked, facts, now)
    name = f"behind_{sight.fact.name}_{asked.cell.start.astimezone(asked.zone):%Y-%m-%d}"
    if asked.output == "csv":
        return file_response(csv_of(headings, rows), "csv", name)
    notes = [*about(asked, count), ("Rows", f"{count:,}"), ("Times in", asked.zone.key), ("Made at", plain(now))]
    body = xlsx_of(sight.fact.label[:30], headings, rows, zone=asked.zone, about=notes)
    return file_response(body, "xlsx", name)


def _cells(sight: Sight, asked: Asked, facts: QuerySet, now: datetime) -> Iterator[list[Any]]:
    column = moment_of(asked.definition)
    ordered = list(sight.with_values(facts, now).order_by(f"-{column}", "-pk"))
    for start in range(0, len(ordered), ROWS_AT_ONCE):
        for row in sight.show(ordered[start : start + ROWS_AT_ONCE]):
            yield [row.ref, row.title, *(row.values[each.name] for each in sight.columns)]
