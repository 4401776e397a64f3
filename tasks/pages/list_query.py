"""What the list is asked for: a condition, an order and a place, read from its address and written to others."""

from dataclasses import dataclass
from typing import Any, Final, TypeGuard
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from taskproject.errors import Invalid, unknown_choice
from taskproject.keyset import NotAPlace, Place, read_place
from tasks.conditions import All, Condition, Context, Field, Kind, Leaf, both, parts_of, read
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, query_of, read_query, read_zone
from tasks.conditions.words import words_of
from tasks.models import Task
from tasks.zones import zone_of

#: Public names of the orders, as in the API where it has them, with their columns; none is ever NULL.
ORDERINGS: Final = {
    "created_at": "pk",
    "updated_at": "updated_at",
    "priority": "priority",
    "due_at": "due_order",
    "status": "status_place",
    "title": "title",
}
DEFAULT_ORDERING: Final = "-created_at"
#: Of what people look for first, the greatest comes first.
DESCENDING_FIRST: Final = frozenset({"created_at", "updated_at", "priority"})
OUTPUTS: Final = ("csv", "xlsx")
#: How the form to add a condition names what it sends.
ADD, OPERATOR, VALUE = "add", "operator", "value"
#: In the form, whether a field is set needs no value.
IS_SET, IS_NOT_SET = "is_set", "is_not_set"
OTHERS: Final = ("ordering", "cursor", TZ, "output", ADD, OPERATOR, VALUE)


@dataclass(frozen=True)
class Chip:
    """A part of the condition in words, and the address of the list without it."""

    words: str
    url: str


@dataclass(frozen=True)
class ListQuery:
    """A list of tasks; ``kept`` are the parameters besides the condition that its other addresses keep."""

    condition: Condition
    ordering: str
    zone: ZoneInfo
    cursor: str
    output: str
    kept: dict[str, str]

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
        return next((leaf.value for leaf in parts_of(self.condition) if _is_search(leaf)), "")

    def parameters(self, condition: Condition | None = None) -> dict[str, str]:
        """The parameters of this list, or of the same with another condition."""
        return query_of(self.condition if condition is None else condition, TASK_PARAMETERS) | self.kept

    def url(self, condition: Condition | None = None, /, **changes: str) -> str:
        """Its first page, with another condition or other parameters."""
        values = {name: value for name, value in {**self.parameters(condition), **changes}.items() if value}
        return f"?{urlencode(values)}" if values else "?"

    def chips(self) -> list[Chip]:
        """What narrows the list, each with the list without it; the search stands in its own box."""
        parts = parts_of(self.condition)
        return [
            Chip(words_of(part, TASK_FIELDS, zone=self.zone), self.url(both(*parts[:index], *parts[index + 1 :])))
            for index, part in enumerate(parts)
            if not _is_search(part) or part.value != self.text
        ]

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


def _is_search(part: Condition) -> TypeGuard[Leaf]:
    return isinstance(part, Leaf) and part.field == "text"


def read_list_query(request: HttpRequest) -> ListQuery:
    """What the address of ``request`` asks for. Raises ``Invalid`` with a sentence for each mistake."""
    query = request.GET
    condition = read_query(query, TASK_FIELDS, TASK_PARAMETERS, others=OTHERS)
    for name in ("ordering", "cursor", TZ, "output", ADD, OPERATOR):
        if len(query.getlist(name)) > 1:
            raise Invalid({name: "Give it once."})
    ordering = _choice(query, "ordering", [sign + name for name in ORDERINGS for sign in ("", "-")], DEFAULT_ORDERING)
    output = _choice(query, "output", list(OUTPUTS), "")
    kept = {"ordering": ordering} if ordering != DEFAULT_ORDERING else {}
    if query.get(TZ):
        kept[TZ] = query[TZ]
    zone = read_zone(query, zone_of(request))
    return ListQuery(condition, ordering, zone, query.get("cursor", ""), output, kept)


def _choice(query: QueryDict, name: str, known: list[str], otherwise: str) -> str:
    text = query.get(name, "")
    if text and text not in known:
        raise Invalid({name: unknown_choice(text, known, what=name)})
    return text or otherwise


@dataclass(frozen=True)
class Adding:
    """The form that adds a condition on one field."""

    field: Field
    operator: str
    values: list[str]
    known: list[str]

    @property
    def operators(self) -> list[tuple[str, str]]:
        """Each operator with its words; those for a single value are left out where several can be given."""
        field = self.field
        names = [name for name in field.operators if name != "is_set"]
        if "in" in names and field.kind is not Kind.NUMBER:
            names = [name for name in names if name not in ("is", "is_not")]
        elif field.kind is not Kind.FLAG:
            names = [name for name in names if name not in ("in", "not_in")]
        words = [(name, _WORDS[name]) for name in names]
        return words + ([(IS_SET, "is set"), (IS_NOT_SET, "is not set")] if "is_set" in field.operators else [])

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """What can be chosen: value, label, and whether it is."""
        field = self.field
        if field.kind is Kind.FLAG:
            return [("true", "Yes", "false" not in self.values), ("false", "No", "false" in self.values)]
        names = list(field.words) or self.known
        return [(name, field.shown(name), name in self.values) for name in names]

    @property
    def typed(self) -> str:
        """What is in the text box: the values that cannot be chosen."""
        listed = {value for value, _, _ in self.choices}
        return ", ".join(value for value in self.values if value not in listed)

    @property
    def may_type(self) -> bool:
        return self.field.kind not in (Kind.FLAG, Kind.CHOICE)

    def condition(self) -> Condition:
        """The condition that was filled in. Raises ``Invalid``."""
        name = self.field.name
        if self.operator in (IS_SET, IS_NOT_SET):
            return read({"field": name, "is_set": self.operator == IS_SET}, TASK_FIELDS, place=self.field.label)
        values = [self._value(text) for text in self.values]
        value: Any = values if self.operator in ("in", "not_in") else (values[0] if values else "")
        return read({"field": name, self.operator: value}, TASK_FIELDS, place=self.field.label)

    def _value(self, text: str) -> Any:
        match self.field.kind:
            case Kind.FLAG:
                return {"true": True, "false": False}.get(text, text)
            case Kind.NUMBER:
                return int(text) if text.lstrip("-").isdecimal() and len(text) < 20 else text
        return text


_WORDS = {
    "is": "is",
    "is_not": "is not",
    "in": "is any of",
    "not_in": "is none of",
    "at_least": "is at least",
    "at_most": "is at most",
    "contains": "contains",
    "starts_with": "starts with",
    "before": "is before",
    "after": "is from",
    "on": "is on",
}


def read_adding(query: QueryDict, context: Context) -> Adding | None:
    """The form to add a condition, as asked for or filled in; None: it was not. Raises ``Invalid``."""
    name = query.get(ADD, "")
    if not name:
        return None
    if name not in TASK_FIELDS:
        raise Invalid({ADD: unknown_choice(name, list(TASK_FIELDS), what="field")})
    field = TASK_FIELDS[name]
    known = list(field.known(context)) if field.known else []
    values = []
    for text in query.getlist(VALUE):
        text = text.strip()
        # A name that is known may contain a comma.
        several = field.kind is Kind.NAMES and text not in known
        values += [part.strip() for part in (text.split(",") if several else [text]) if part.strip()]
    adding = Adding(field, query.get(OPERATOR, ""), list(dict.fromkeys(values)), known)
    if adding.operator and adding.operator not in dict(adding.operators):
        raise Invalid({OPERATOR: unknown_choice(adding.operator, list(dict(adding.operators)), what="operator")})
    return adding
