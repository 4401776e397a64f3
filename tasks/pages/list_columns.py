"""The columns of the list besides ref and title: which there are, and which a reader wants.

Chosen ones stand in the address and are remembered; an address without them shows what the reader chose last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from taskproject.sheets import Heading
from tasks.models import Profile
from tasks.pages.list_rows import Row
from tasks.viewed import COLUMN_NAMES

COLUMNS_PARAMETER: Final = "columns"


@dataclass(frozen=True)
class Column:
    """A column: its name in addresses, its label, the order by it, and what a file has of it."""

    name: str
    label: str
    ordering: str
    heading: Heading
    cell: Callable[[Row], Any]

    @property
    def is_time(self) -> bool:
        return self.heading.name.endswith("_at") or self.name == "start_after"


def _of(name: str, heading: Heading, cell: Callable[[Row], Any], ordering: str = "") -> Column:
    return Column(name, heading.label, ordering, heading, cell)


def _value(name: str) -> Callable[[Row], Any]:
    return lambda row: row.values[name]


COLUMNS: Final[dict[str, Column]] = {
    each.name: each
    for each in (
        _of("project", Heading("project", "Project", width=10), _value("project__key")),
        _of("status", Heading("status", "Status"), _value("status"), "status"),
        _of("priority", Heading("priority", "Priority", width=10), _value("priority"), "priority"),
        _of(
            "assignees", Heading("assignees", "Assignees", width=24), lambda row: [each.slug for each in row.assignees]
        ),
        _of("due", Heading("due_at", "Due"), _value("due_at"), "due_at"),
        _of("labels", Heading("labels", "Labels", width=24), lambda row: row.labels),
        _of("parent", Heading("parent", "Parent", width=12), lambda row: row.parent),
        _of("created", Heading("created_at", "Created"), _value("created_at"), "created_at"),
        _of("updated", Heading("updated_at", "Updated"), _value("updated_at"), "updated_at"),
        _of("started", Heading("started_at", "Started"), _value("started_at")),
        _of("completed", Heading("completed_at", "Completed"), lambda row: row.completed_at),
        _of("start_after", Heading("start_after", "Start after"), _value("start_after")),
        _of("created_by", Heading("created_by", "Created by"), lambda row: row.created_by),
        _of("estimate", Heading("estimate_minutes", "Estimate (min)", width=10), _value("estimate_minutes")),
        _of("attempts", Heading("attempts", "Failed attempts", width=10), _value("attempts")),
        _of("progress", Heading("progress_percent", "Progress (%)", width=10), _value("progress_percent")),
        _of("external_id", Heading("external_id", "External id", width=20), _value("external_id")),
    )
}
assert tuple(COLUMNS) == COLUMN_NAMES, "The address and the page know different columns."
DEFAULT: Final = ("status", "priority", "assignees", "due", "labels", "updated")
#: What a file has if nobody chose columns.
IN_FILES: Final = (
    "project", "status", "priority", "assignees", "labels", "parent", "due", "created", "updated", "started",
    "completed", "created_by", "external_id",
)  # fmt: skip


def remembered(user: User) -> tuple[str, ...]:
    """The columns that ``user`` chose last; empty: none were chosen. What is not known any more is left out."""
    text = Profile.objects.filter(user=user).values_list("list_columns", flat=True).first() or ""
    return tuple(name for name in text.split(",") if name in COLUMNS)


@require_POST
@login_required
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Remember the columns of the form and show the list of ``query`` with them; none: as at first."""
    user: Any = request.user
    wanted = set(request.POST.getlist(COLUMNS_PARAMETER))
    chosen = [] if "reset" in request.POST else [name for name in COLUMNS if name in wanted]
    Profile.objects.update_or_create(user=user, defaults={"list_columns": ",".join(chosen)})
    query = QueryDict(request.POST.get("query", "")[:20_000], mutable=True)
    query.pop(COLUMNS_PARAMETER, None)
    query.pop("cursor", None)
    if chosen:
        query[COLUMNS_PARAMETER] = ",".join(chosen)
    address = query.urlencode(safe=",")
    return HttpResponseRedirect(reverse("task_list") + (f"?{address}" if address else ""))
