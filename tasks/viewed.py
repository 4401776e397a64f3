"""What a view shows: the query of an address of the list or the board, read for saving, opening and counting."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import QueryDict

from taskproject.errors import Invalid, unknown_choice
from taskproject.strict_json import unstorable
from taskproject.time_limits import limited
from tasks.conditions import Condition, Context, Leaf, compile, parts_of
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, query_of, read_query, read_zone
from tasks.errors import TooSlow
from tasks.models import Task
from tasks.models.saved_view import LONGEST_QUERY, ViewPlace

if TYPE_CHECKING:
    from django.utils.datastructures import MultiValueDict

#: Names the view that an address was opened by.
VIEW: Final = "view"
#: Parameters that are a step on a page, and not what it shows.
STEPS: Final = frozenset((VIEW, "cursor", "output", "add", "edit", "join", "operator", "value", "next", "refs", "page"))
#: What pages say about how they show the tasks, and read themselves.
OF_PAGES: Final = ("ordering", TZ, "columns", "group", "folded")
#: By what each place groups its tasks.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    ViewPlace.LIST: ("status", "assignee", "priority", "label", "parent"),
    ViewPlace.BOARD: ("assignee", "priority", "label", "parent", "project"),
}
#: What the board calls nobody.
NOBODY: Final = "-"
#: Tasks are counted up to this number, and for this long.
COUNTED: Final = 999
SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Viewed:
    """A condition, and the parameters of the address that states it."""

    condition: Condition
    parameters: Mapping[str, str]

    @property
    def text(self) -> str:
        return urlencode(self.parameters)

    @property
    def projects(self) -> tuple[str, ...]:
        """The keys of the projects that it is of; empty for all."""
        named = [
            part.values
            for part in parts_of(self.condition)
            if isinstance(part, Leaf) and part.field == "project" and part.operator == "in"
        ]
        return tuple(named[0]) if named else ()


def read_viewed(place: str, query: "MultiValueDict[str, str] | str") -> Viewed:
    """What an address of the list or the board shows, whatever step it is at. Raises ``Invalid``."""
    if isinstance(query, str):
        if problem := unstorable(query):
            raise Invalid({"query": problem})
        if len(query) > LONGEST_QUERY:
            raise Invalid({"query": f"It has {len(query):,} characters; at most {LONGEST_QUERY:,} are kept."})
        query = QueryDict(query.removeprefix("?"))
    given = QueryDict(mutable=True)
    for name, texts in query.lists():
        if name not in STEPS and (texts := [text for text in texts if text.strip()]):
            given.setlist(name, texts)
    kept: dict[str, str] = {}
    if place == ViewPlace.BOARD:
        _tidy(given)
    condition = read_query(given, TASK_FIELDS, TASK_PARAMETERS, others=OF_PAGES)
    for name in OF_PAGES:
        if len(given.getlist(name)) > 1:
            raise Invalid({name: "Give it once."})
        if name in given:
            kept[name] = str(given[name])
    if "group" in kept and kept["group"] not in (known := GROUPS.get(place, ())):
        raise Invalid({"group": unknown_choice(kept["group"], known, what="group")})
    parameters = query_of(condition, TASK_PARAMETERS) | kept
    return Viewed(condition, dict(sorted(parameters.items())))


def _tidy(given: QueryDict) -> None:
    """The board's own words as the list has them."""
    if given.get("assignee") == NOBODY:
        del given["assignee"]
        given["unassigned"] = "true"
    for name in ("priority", "status"):
        if name in given:
            given.setlist(name, [str(text).lower() for text in given.getlist(name)])
    if "project" in given:
        given.setlist("project", [str(text).upper() for text in given.getlist("project")])


def tasks_of(viewed: Viewed, context: Context) -> QuerySet[Task]:
    """The tasks that the reader sees there."""
    if TZ in viewed.parameters:
        zone = read_zone(QueryDict(viewed.text), ZoneInfo("UTC"))
        context = Context(context.user, zone, context.moment)
    return Task.objects.visible_to(context.user).filter(compile(viewed.condition, TASK_FIELDS, context))


def count_of(viewed: Viewed, context: Context) -> int:
    """How many those are, at most ``COUNTED`` + 1. Raises ``TooSlow``."""
    with limited(SECONDS, TooSlow):
        return tasks_of(viewed, context).order_by()[: COUNTED + 1].count()
