"""The list: the tasks that the reader sees, narrowed by conditions, as a page and as files."""

from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_safe

from taskproject.keyset import Page, Place, page_of
from taskproject.time_limits import limited
from tasks import clock
from tasks.conditions import Context
from tasks.conditions.listing import WALKED, Listing
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.conditions.words import missing
from tasks.errors import Invalid, TooSlow
from tasks.models import Project, Task
from tasks.pages.bulk import may_bulk
from tasks.pages.filter_bar import filter_bar
from tasks.pages.list_columns import COLUMNS, DEFAULT, remembered
from tasks.pages.list_files import MOST_ROWS, file_of
from tasks.pages.list_groups import GROUPINGS, Grouped, grouped
from tasks.pages.list_query import DEFAULT_ORDERING, DESCENDING_FIRST, ListQuery, list_query_of, tasks_of
from tasks.pages.list_rows import READ, Row, rows_of
from tasks.permissions import may_create_projects
from tasks.using.bulk import BULK_VERBS
from tasks.zones import zone_of

SHOWN: Final = 50
#: Tasks are counted up to this number; more are too many to look at.
COUNTED: Final = 10_000
#: How long tasks are looked for; nobody waits for longer, and others need the database, too.
SECONDS: Final = 5.0
#: The first columns of the page: label, and the order by it.
_FIRST = (("Ref", "created_at"), ("Title", "title"))


@dataclass(frozen=True)
class SortLink:
    """The heading of a column: where a click leads, and how the list is sorted by it now (as in ``aria-sort``)."""

    label: str
    url: str = ""
    sorted: str = ""


@dataclass(frozen=True)
class _Read:
    """What the page shows of the tasks: how many there are, and a page of them or groups."""

    total: int = 0
    page: Page = field(default_factory=lambda: Page([], None, None))
    rows: list[Row] = field(default_factory=list)
    groups: Grouped | None = None


@require_safe
@login_required
def task_list(request: HttpRequest) -> HttpResponse:
    """The tasks that the reader sees: the parameters of the API, with ``output`` for a file."""
    now = clock.now()
    try:
        query = list_query_of(request.GET, zone_of(request))
    except Invalid as mistake:
        return _refused(request, mistake)
    context = Context(request.user, query.zone, now)
    listing = Listing(query.condition, context)
    tasks = tasks_of(query, listing)
    user: Any = request.user
    chosen = query.columns or remembered(user)
    columns = chosen or DEFAULT
    try:
        bar = filter_bar(request.GET, query.condition, context, query.parameters)
        if bar.redirect:
            return HttpResponseRedirect(f"{request.path}{bar.redirect}")
        place = query.place(tasks)
        if query.output:
            return file_of(query, chosen, tasks, now)
    except Invalid as mistake:
        return _refused(request, mistake, query=query)
    if bar.errors:
        # The form says what is wrong with it; nothing that was filled in is lost.
        return render(request, "tasks/list.html", _frame(request) | {"query": query, "bar": bar}, status=400)
    late, read = "", _Read()
    try:
        with limited(SECONDS, TooSlow):
            read = _read(query, context, listing, place)
    except TooSlow as slow:
        late = slow.sentence
    page = read.page
    shown = _frame(request) | {
        "query": query,
        "rows": read.rows,
        "grouped": read.groups,
        "late": late,
        "columns": [COLUMNS[name] for name in columns],
        "width": len(columns) + 3,
        "choices": [(column, column.name in columns) for column in COLUMNS.values()],
        "is_chosen": bool(chosen),
        "groupings": [
            (grouping.label, query.url(group=name, folded=""), name == query.group)
            for name, grouping in GROUPINGS.items()
        ],
        "ungrouped_url": query.url(group="", folded=""),
        "total": f"{read.total:,}" if read.total <= COUNTED else f"more than {COUNTED:,}",
        "is_single": read.total == 1,
        "is_capped": read.total > COUNTED,
        "most_rows": f"{MOST_ROWS:,}",
        "has_any": bool(read.total) or query.is_narrowed,
        "headings": [
            _heading(label, name, query)
            for label, name in (*_FIRST, *((each.label, each.ordering) for each in map(COLUMNS.__getitem__, columns)))
        ],
        "next_url": query.url(cursor=str(page.next)) if page.next else "",
        "previous_url": query.url(cursor=str(page.previous)) if page.previous else "",
        "first_url": query.url() if page.previous else "",
        "bar": bar,
        "may_bulk": bool(read.total) and may_bulk(request.user),
        "bulk_verbs": BULK_VERBS.values(),
        "list_query": request.GET.urlencode(),
        "outputs": [(kind.upper(), query.url(output=kind)) for kind in ("csv", "xlsx")],
        "notices": missing(query.condition, TASK_FIELDS, context),
    }
    return render(request, "tasks/list.html", shown, status=400 if late else 200)


def _read(query: ListQuery, context: Context, listing: Listing, place: Place | None) -> _Read:
    total = listing.count(COUNTED + 1)
    if query.group:
        return _Read(total, groups=grouped(query, tasks_of(query, listing), context, context.moment))
    # The page's ids first, from the table of tasks alone: what is read of other tables is read only of those.
    ids: Any = listing if query.column in WALKED else tasks_of(query, listing).values("id", query.column)
    page = page_of(ids, query.column, place, descending=query.is_descending, limit=SHOWN)
    shown = [row["id"] for row in page.rows]
    values = {row["id"]: row for row in Task.objects.filter(pk__in=shown).order_by().values(*READ)}
    return _Read(total, page, rows_of([values[pk] for pk in shown if pk in values], context.moment))


def _refused(request: HttpRequest, mistake: Invalid, **shown: Any) -> HttpResponse:
    """No tasks, but a sentence for each mistake of the address."""
    return render(request, "tasks/list.html", _frame(request) | {"errors": mistake.sentences, **shown}, status=400)


def _frame(request: HttpRequest) -> dict[str, Any]:
    """What the page shows whatever it is asked for."""
    user: Any = request.user
    return {
        "has_projects": Project.objects.visible_to(user).exists(),
        # Asked for by an empty list alone.
        "may_add": Project.objects.creatable_by(user).exists,
        "may_create_projects": lambda: may_create_projects(user),
    }


def _heading(label: str, name: str, query: ListQuery) -> SortLink:
    if not name:
        return SortLink(label)
    if query.ordering.removeprefix("-") == name:
        other = name if query.is_descending else f"-{name}"
        way = "descending" if query.is_descending else "ascending"
    else:
        other, way = f"-{name}" if name in DESCENDING_FIRST else name, ""
    return SortLink(label, query.url(ordering="" if other == DEFAULT_ORDERING else other), way)
