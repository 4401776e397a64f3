"""What a view shows: the query of an address of the list or the board, read for saving, opening and counting."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict

from taskproject.errors import Invalid, unknown_choice
from taskproject.strict_json import unstorable
from taskproject.time_limits import limited
from tasks.conditions import Condition, Context, Leaf, parts_of
from tasks.conditions.listing import Listing
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, query_of, read_query, read_zone
from tasks.errors import TooSlow
from tasks.models.saved_view import LONGEST_QUERY, ViewPlace

if TYPE_CHECKING:
    from django.utils.datastructures import MultiValueDict

#: Names the view that an address was opened by.
VIEW: Final = "view"
#: Parameters that are a step on a page, and not what it shows.
STEPS: Final = frozenset((VIEW, "cursor", "output", "add", "edit", "join", "operator", "value", "next", "refs", "page"))
#: What an address says about how the tasks are shown.
SHOWN_AS: Final[Mapping[str, tuple[str, ...]]] = {
    ViewPlace.LIST: ("ordering", TZ, "columns", "group", "folded"),
    ViewPlace.BOARD: (TZ, "group"),
}
#: What the list is ordered by, after a ``-`` with the greatest first.
ORDERED_BY: Final = ("created_at", "updated_at", "priority", "due_at", "status", "title")
DEFAULT_ORDERING: Final = "-created_at"
COLUMN_NAMES: Final = (
    "project", "status", "priority", "assignees", "due", "labels", "parent", "created", "updated", "started",
    "completed", "start_after", "created_by", "estimate", "attempts", "progress", "external_id",
)  # fmt: skip
#: By what each place groups its tasks.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    ViewPlace.LIST: ("status", "assignee", "priority", "label", "parent"),
    ViewPlace.BOARD: ("assignee", "priority", "label", "parent", "project"),
}
#: How the board says that nobody is assigned.
UNASSIGNED: Final = "-"
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


@dataclass(frozen=True, slots=True)
class Shown:
    """How an address asks for its tasks to be shown; ``columns``: those that it names, if any."""

    ordering: str
    zone: ZoneInfo
    columns: tuple[str, ...]
    group: str
    folded: str


def read_shown(place: str, query: "MultiValueDict[str, str]", zone: ZoneInfo) -> Shown:
    """How the list or the board is to show its tasks; ``zone``: the reader's. Raises ``Invalid``."""
    require_once(query, SHOWN_AS[place])
    ordering = choice_of(query, "ordering", [sign + name for name in ORDERED_BY for sign in ("", "-")])
    group = choice_of(query, "group", GROUPS[place])
    columns = tuple(dict.fromkeys(name.strip() for name in query.get("columns", "").split(",") if name.strip()))
    if unknown := [name for name in columns if name not in COLUMN_NAMES]:
        raise Invalid({"columns": unknown_choice(unknown[0], COLUMN_NAMES, what="column")})
    return Shown(ordering or DEFAULT_ORDERING, read_zone(query, zone), columns, group, query.get("folded", ""))


def require_once(query: "MultiValueDict[str, str]", names: Iterable[str]) -> None:
    """Raises ``Invalid`` for a parameter that is given twice."""
    for name in names:
        if len(query.getlist(name)) > 1:
            raise Invalid({name: "Give it once."})


def choice_of(query: "MultiValueDict[str, str]", name: str, known: Collection[str]) -> str:
    """The parameter, which is one of the ``known`` words or empty. Raises ``Invalid``."""
    text = query.get(name, "")
    if text and text not in known:
        raise Invalid({name: unknown_choice(text, known, what=name)})
    return text


def read_viewed(place: str, query: "MultiValueDict[str, str] | str") -> Viewed:
    """What an address of the list or the board shows, whatever step it is at. Raises ``Invalid``, also if it is too
    long to be kept.
    """
    if place not in ViewPlace.values:
        raise Invalid({"place": unknown_choice(place, ViewPlace.values, what="place")})
    if isinstance(query, str):
        if problem := unstorable(query):
            raise Invalid({"query": problem})
        _require_fits(query)
        try:
            query = QueryDict(query.removeprefix("?"))
        except TooManyFieldsSent:
            raise Invalid({"query": "It has too many parameters."}) from None
    given = QueryDict(mutable=True)
    for name, texts in query.lists():
        if name not in STEPS and (texts := [text for text in texts if text.strip()]):
            given.setlist(name, texts)
    if place == ViewPlace.BOARD:
        say_as_the_list(given)
    condition = read_query(given, TASK_FIELDS, TASK_PARAMETERS, others=SHOWN_AS[place])
    read_shown(place, given, ZoneInfo("UTC"))
    kept = {name: str(given[name]) for name in SHOWN_AS[place] if name in given}
    viewed = Viewed(condition, dict(sorted((query_of(condition, TASK_PARAMETERS) | kept).items())))
    _require_fits(viewed.text)
    return viewed


def _require_fits(text: str) -> None:
    if len(text) > LONGEST_QUERY:
        raise Invalid({"query": f"As an address it has {len(text):,} characters; at most {LONGEST_QUERY:,} are kept."})


def say_as_the_list(query: QueryDict) -> None:
    """Put the board's own words as the list has them."""
    if query.get("assignee") == UNASSIGNED:
        del query["assignee"]
        query["unassigned"] = "true"
    for name in ("priority", "status"):
        if name in query:
            query.setlist(name, [str(text).lower() for text in query.getlist(name)])
    if "project" in query:
        query.setlist("project", [str(text).upper() for text in query.getlist("project")])


def count_of(viewed: Viewed, context: Context) -> int:
    """How many tasks the reader sees there, at most ``COUNTED`` + 1. Raises ``TooSlow``."""
    if TZ in viewed.parameters:
        zone = read_zone(QueryDict(viewed.text), ZoneInfo("UTC"))
        context = Context(context.user, zone, context.moment)
    with limited(SECONDS, TooSlow):
        return Listing(viewed.condition, context).count(COUNTED + 1)
