"""The list: the tasks that the reader sees, narrowed by conditions, as a page and as files."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_safe

from taskproject.keyset import page_of
from taskproject.sheets import Heading, csv_of, file_response, plain, xlsx_of
from taskproject.texts import counted
from tasks import clock
from tasks.conditions import Context
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.conditions.words import missing, words_of
from tasks.errors import Invalid
from tasks.models import Agent, Assignment, AssignmentEnd, Priority, Project, Task
from tasks.pages.bulk import may_bulk
from tasks.pages.filter_bar import filter_bar
from tasks.pages.list_query import DEFAULT_ORDERING, DESCENDING_FIRST, ListQuery, list_query_of, tasks_of
from tasks.pages.retries import Retry, retry_of_values
from tasks.refs import ref_of
from tasks.transitions import Status, is_overdue
from tasks.using.bulk import BULK_VERBS
from tasks.zones import zone_of

SHOWN: Final = 50
#: Tasks are counted up to this number; more are too many to look at.
COUNTED: Final = 10_000
#: Rows of a file.
MOST_ROWS: Final = 20_000
ROWS_AT_ONCE: Final = 500
_COLUMNS = (
    "id", "number", "title", "status", "priority", "due_at", "due_order", "created_at", "updated_at", "started_at",
    "completed_at", "external_id", "attempts", "max_attempts", "last_failure", "deferred_until", "start_after",
    "project__key", "parent__number", "created_by__username", "created_by__agent__slug",
)  # fmt: skip
#: The columns of the page: label, and the order by it.
HEADINGS = (
    ("Ref", "created_at"),
    ("Title", "title"),
    ("Status", "status"),
    ("Priority", "priority"),
    ("Assignees", ""),
    ("Due", "due_at"),
    ("Labels", ""),
    ("Updated", "updated_at"),
)


@dataclass
class Row:
    """A task as the list shows it."""

    values: dict[str, Any]
    now: datetime
    labels: list[str] = field(default_factory=list)
    assignees: list[Agent] = field(default_factory=list)

    @property
    def ref(self) -> str:
        return ref_of(self.values["project__key"], self.values["number"])

    @property
    def parent(self) -> str | None:
        number = self.values["parent__number"]
        return ref_of(self.values["project__key"], number) if number else None

    @property
    def priority(self) -> str:
        return Priority(self.values["priority"]).label

    @property
    def is_overdue(self) -> bool:
        return is_overdue(self.values["status"], self.values["due_at"], self.now)

    @property
    def retry(self) -> Retry:
        return retry_of_values(self.values, self.now)

    @property
    def completed_at(self) -> datetime | None:
        return self.values["completed_at"] if self.values["status"] == Status.COMPLETED else None

    @property
    def created_by(self) -> str | None:
        return self.values["created_by__agent__slug"] or self.values["created_by__username"]


@dataclass(frozen=True)
class SortLink:
    """The heading of a column: where a click leads, and how the list is sorted by it now (as in ``aria-sort``)."""

    label: str
    url: str = ""
    sorted: str = ""


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
    tasks = tasks_of(query, context)
    try:
        bar = filter_bar(request.GET, query.condition, context, query.parameters)
        if bar.redirect:
            return HttpResponseRedirect(f"{request.path}{bar.redirect}")
        place = query.place(tasks)
        if query.output:
            return _file(query, tasks, now)
    except Invalid as mistake:
        return _refused(request, mistake, query=query)
    if bar.errors:
        # The form says what is wrong with it; nothing that was filled in is lost.
        return render(request, "tasks/list.html", _frame(request) | {"query": query, "bar": bar}, status=400)
    page = page_of(
        tasks.values(*_COLUMNS, *_extra(query)), query.column, place, descending=query.is_descending, limit=SHOWN
    )
    total = tasks.order_by()[: COUNTED + 1].count()
    shown = _frame(request) | {
        "query": query,
        "rows": _rows(page.rows, now),
        "total": f"{total:,}" if total <= COUNTED else f"more than {COUNTED:,}",
        "is_single": total == 1,
        "has_any": bool(total) or query.is_narrowed,
        "headings": [_heading(label, name, query) for label, name in HEADINGS],
        "next_url": query.url(cursor=str(page.next)) if page.next else "",
        "previous_url": query.url(cursor=str(page.previous)) if page.previous else "",
        "first_url": query.url() if page.previous else "",
        "bar": bar,
        "may_bulk": bool(page.rows) and may_bulk(request.user),
        "bulk_verbs": BULK_VERBS.values(),
        "list_query": request.GET.urlencode(),
        "outputs": [(kind.upper(), query.url(output=kind)) for kind in ("csv", "xlsx")],
        "notices": missing(query.condition, TASK_FIELDS, context),
    }
    return render(request, "tasks/list.html", shown)


def _refused(request: HttpRequest, mistake: Invalid, **shown: Any) -> HttpResponse:
    """No tasks, but a sentence for each mistake of the address."""
    sentences = [f"{name}: {text}" for name, texts in mistake.data["errors"].items() for text in texts]
    return render(request, "tasks/list.html", _frame(request) | {"errors": sentences, **shown}, status=400)


def _frame(request: HttpRequest) -> dict[str, Any]:
    """What the page shows whatever it is asked for."""
    user: Any = request.user
    return {
        "has_projects": Project.objects.visible_to(user).exists(),
        # Asked for by an empty list alone.
        "may_add": Project.objects.creatable_by(user).exists,
    }


def _extra(query: ListQuery) -> tuple[str, ...]:
    return ("status_place",) if query.column == "status_place" else ()


def _rows(values: list[dict[str, Any]], now: datetime) -> list[Row]:
    """The rows with their labels and assignees, which take a query each."""
    rows = {each["id"]: Row(each, now) for each in values}
    labels = Task.labels.through.objects.filter(task__in=rows).order_by("label__name")
    for task, name in labels.values_list("task_id", "label__name"):
        rows[task].labels.append(name)
    counts = Q(ended_at__isnull=True) | Q(end_reason=AssignmentEnd.CLOSED)
    seen: dict[int, set[int]] = defaultdict(set)
    for assignment in Assignment.objects.filter(counts, task__in=rows).select_related("agent").order_by("id"):
        if assignment.agent_id not in seen[assignment.task_id]:
            seen[assignment.task_id].add(assignment.agent_id)
            rows[assignment.task_id].assignees.append(assignment.agent)
    return list(rows.values())


def _heading(label: str, name: str, query: ListQuery) -> SortLink:
    if not name:
        return SortLink(label)
    if query.ordering.removeprefix("-") == name:
        other = name if query.is_descending else f"-{name}"
        way = "descending" if query.is_descending else "ascending"
    else:
        other, way = f"-{name}" if name in DESCENDING_FIRST else name, ""
    return SortLink(label, query.url(ordering="" if other == DEFAULT_ORDERING else other), way)


# Files.

SHEET = (
    Heading("ref", "Ref", width=12),
    Heading("title", "Title", width=60),
    Heading("project", "Project", width=10),
    Heading("status", "Status"),
    Heading("priority", "Priority", width=10),
    Heading("assignees", "Assignees", width=24),
    Heading("labels", "Labels", width=24),
    Heading("parent", "Parent", width=12),
    Heading("due_at", "Due"),
    Heading("created_at", "Created"),
    Heading("updated_at", "Updated"),
    Heading("started_at", "Started"),
    Heading("completed_at", "Completed"),
    Heading("created_by", "Created by"),
    Heading("external_id", "External id", width=20),
)


def _file(query: ListQuery, tasks: QuerySet[Task], now: datetime) -> HttpResponse:
    """All tasks of the list in its order. Raises ``Invalid`` if they are too many."""
    sign = "-" if query.is_descending else ""
    ordered = tasks.order_by(f"{sign}{query.column}", *([f"{sign}pk"] if query.column != "pk" else []))
    values = list(ordered.values(*_COLUMNS)[: MOST_ROWS + 1])
    if len(values) > MOST_ROWS:
        raise Invalid({"output": f"A file has at most {MOST_ROWS:,} tasks, and these are more; add a filter."})
    rows: Iterable[Row] = (
        row for start in range(0, len(values), ROWS_AT_ONCE) for row in _rows(values[start : start + ROWS_AT_ONCE], now)
    )
    name = f"tasks_{now.astimezone(query.zone):%Y-%m-%d}"
    if query.output == "csv":
        return file_response(csv_of(SHEET, map(_for_programs, rows)), "csv", name)
    about = [
        ("Tasks", counted(len(values), "task")),
        ("Filters", words_of(query.condition, TASK_FIELDS, zone=query.zone) or "none"),
        ("Times in", query.zone.key),
        ("Made at", plain(now)),
    ]
    return file_response(xlsx_of("Tasks", SHEET, map(_for_people, rows), zone=query.zone, about=about), "xlsx", name)


def _cells(row: Row, status: str, priority: str) -> list[Any]:
    values = row.values
    return [
        row.ref, values["title"], values["project__key"], status, priority, [agent.slug for agent in row.assignees],
        row.labels, row.parent, values["due_at"], values["created_at"], values["updated_at"], values["started_at"],
        row.completed_at, row.created_by, values["external_id"],
    ]  # fmt: skip


def _for_programs(row: Row) -> list[Any]:
    return _cells(row, row.values["status"], Priority(row.values["priority"]).name.lower())


def _for_people(row: Row) -> list[Any]:
    return _cells(row, Status(row.values["status"]).label, row.priority)
