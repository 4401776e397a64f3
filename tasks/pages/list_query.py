"""What the list is asked for: a condition, an order and a place, read from its address and written to others."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Case, QuerySet, Value, When
from django.http import QueryDict

from taskproject.errors import Invalid
from taskproject.keyset import NotAPlace, Place, read_place
from tasks.conditions import All, Condition, parts_of
from tasks.conditions.listing import Listing
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, query_of, read_query
from tasks.models import Task, ViewPlace
from tasks.pages.filter_bar import FORM_NAMES, is_search
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


def tasks_of(query: ListQuery, listing: Listing) -> QuerySet[Task]:
    """The tasks of the list, with the column that they are ordered by."""
    if query.column != "status_place":
        return listing.tasks
    places = [When(status=status.value, then=Value(place)) for place, status in enumerate(Status)]
    return listing.tasks.annotate(status_place=Case(*places))
