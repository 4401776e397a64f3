"""What the list is asked for: a condition, an order and a place, read from its address and written to others."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import BigIntegerField, Case, ExpressionWrapper, F, QuerySet, Value, When
from django.http import QueryDict

from taskproject.errors import Invalid
from taskproject.keyset import NotAPlace, Place, read_place
from tasks.conditions import All, Condition, Context, compile, parts_of
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, query_of, read_query
from tasks.models import Project, Task, ViewPlace
from tasks.pages.filter_bar import FORM_NAMES, is_search
from tasks.querysets import sees_all
from tasks.transitions import Status
from tasks.viewed import DEFAULT_ORDERING, ORDERED_BY, SHOWN_AS, VIEW, choice_of, read_shown, require_once
from tasks.viewed import GROUPS as GROUPS_OF

#: Public names of the orders, as in the API where it has them, with their columns; none is ever NULL.
ORDERINGS: Final = {
    "created_at": "pk",
    "updated_at": "updated_at",
    "priority": "priority",
    "due_at": "due_order",
    "status": "status_place",
    "title": "title",
}
#: Those that an index of all tasks has.
WALKED: Final = ("updated_at", "priority", "due_order", "title")
assert tuple(ORDERINGS) == ORDERED_BY, "The address and the page know different orders."
#: Of what people look for first, the greatest comes first.
DESCENDING_FIRST: Final = frozenset({"created_at", "updated_at", "priority"})
OUTPUTS: Final = ("csv", "xlsx")
GROUPS: Final = GROUPS_OF[ViewPlace.LIST]
OTHERS: Final = SHOWN_AS[ViewPlace.LIST]
#: Steps that the page makes itself.
UNSAID: Final = ("cursor", VIEW, "output", *FORM_NAMES)


@dataclass(frozen=True)
class ListQuery:
    """A list of tasks; ``kept`` are the parameters besides the condition that its other addresses keep."""

    condition: Condition
    ordering: str
    zone: ZoneInfo
    cursor: str
    output: str
    kept: dict[str, str]
    #: The columns that the address names; empty: it names none.
    columns: tuple[str, ...] = ()
    group: str = ""
    folded: str = ""

    @property
    def column(self) -> str:
        return ORDERINGS[self.ordering.removeprefix("-")]

    @property
    def is_descending(self) -> bool:
        return self.ordering.startswith("-")

    @property
    def is_narrowed(self) -> bool:
        return self.condition != All()

    @property
    def text(self) -> str:
        """What is searched for."""
        return next((leaf.value for leaf in parts_of(self.condition) if is_search(leaf)), "")

    def parameters(self, condition: Condition | None = None) -> dict[str, str]:
        """The parameters of this list, or of the same with another condition."""
        return query_of(self.condition if condition is None else condition, TASK_PARAMETERS) | self.kept

    def url(self, condition: Condition | None = None, /, **changes: str) -> str:
        """Its first page, with another condition or other parameters."""
        values = {name: value for name, value in {**self.parameters(condition), **changes}.items() if value}
        return f"?{urlencode(values)}" if values else "?"

    def without_search(self) -> dict[str, str]:
        """The parameters that the search form keeps."""
        return {name: value for name, value in self.parameters().items() if name != "q"}

    def place(self, queryset: QuerySet[Task]) -> Place | None:
        """Where the page begins. Raises ``Invalid``."""
        if not self.cursor:
            return None
        try:
            return read_place(self.cursor, queryset, self.column)
        except NotAPlace:
            raise Invalid({"cursor": "It is not one of ours; go back to the first page."}) from None


def list_query_of(query: QueryDict, zone: ZoneInfo) -> ListQuery:
    """What an address asks for; ``zone``: the reader's. Raises ``Invalid`` with a sentence for each mistake."""
    condition = read_query(query, TASK_FIELDS, TASK_PARAMETERS, others=OTHERS, unsaid=UNSAID)
    require_once(query, ("cursor", "output"))
    shown = read_shown(ViewPlace.LIST, query, zone)
    output = choice_of(query, "output", OUTPUTS)
    folded = shown.folded if shown.group else ""
    kept = {"ordering": shown.ordering} if shown.ordering != DEFAULT_ORDERING else {}
    kept |= {name: str(query[name]) for name in (VIEW, TZ) if query.get(name)}
    how = {"columns": ",".join(shown.columns), "group": shown.group, "folded": folded}
    kept |= {name: text for name, text in how.items() if text}
    cursor = query.get("cursor", "")
    return ListQuery(condition, shown.ordering, shown.zone, cursor, output, kept, shown.columns, shown.group, folded)


def tasks_of(query: ListQuery, context: Context, *, are_many: bool = False) -> QuerySet[Task]:
    """The tasks that the reader sees and the condition means, with the column that they are ordered by.

    ``are_many``: so many match that walking an index in the list's order soon meets enough of them. Without statistics
    SQLite would read all tasks of the projects and sort them.
    """
    tasks = Task.objects.visible_to(context.user)
    if are_many and connection.vendor == "sqlite" and query.column in WALKED and not sees_all(context.user):
        # No column of an index: only the order is left to choose one by.
        projects = list(Project.objects.visible_to(context.user).order_by().values_list("pk", flat=True))
        tasks = Task.objects.alias(of_project=ExpressionWrapper(F("project_id") + 0, BigIntegerField()))
        tasks = tasks.filter(of_project__in=projects)
    if query.is_narrowed:
        tasks = tasks.filter(compile(query.condition, TASK_FIELDS, context))
    if query.column == "status_place":
        places = [When(status=status.value, then=Value(place)) for place, status in enumerate(Status)]
        tasks = tasks.annotate(status_place=Case(*places))
    return tasks
