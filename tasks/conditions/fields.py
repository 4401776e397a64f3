"""What a condition can be about: fields of seven kinds, each with the operators it takes and what it becomes in SQL.

Every table of fields is made with the functions below. A condition means the same for every row or does not apply to
it: where a value is missing, only ``is_set: false`` and negations do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.db.models.functions import Now

from taskproject.errors import unknown_choice
from taskproject.strict_json import unstorable
from tasks import clock
from tasks.conditions import times

if TYPE_CHECKING:
    from tasks.conditions.grammar import Leaf

LONGEST_TEXT = 8_000
#: Numbers that every column can be compared with.
MOST = 10**15


class Kind(StrEnum):
    CHOICE = "choice"
    NUMBER = "number"
    TIME = "time"
    TEXT = "text"
    FLAG = "flag"
    NAMES = "names"


#: Every operator, in words that follow the name of a field.
OPERATORS = {
    "is": "is",
    "is_not": "is not",
    "in": "is",
    "not_in": "is not",
    "at_least": "at least",
    "at_most": "at most",
    "contains": "contains",
    "starts_with": "starts with",
    "before": "before",
    "after": "from",
    "on": "on",
    "is_set": "is set",
}
_EQUAL = ("is", "is_not", "in", "not_in")


@dataclass(frozen=True)
class Context:
    """Who asks, and the zone whose days are meant. ``now`` None: the database's clock."""

    user: Any
    zone: tzinfo
    now: datetime | None = None

    @cached_property
    def present(self) -> datetime:
        return self.now or clock.now()

    @property
    def moment(self) -> Any:
        """The present time for a query."""
        return self.now or Now()


@dataclass(frozen=True, slots=True)
class Field:
    """A thing that a condition can be about.

    ``words``: of a choice, the word of each stored value, in order; ``labels``: the same for people. ``known``: the
    names that exist for the reader, to choose from. ``compiled``: the rows to which a leaf applies.
    """

    name: str
    label: str
    kind: Kind
    operators: tuple[str, ...]
    compiled: "Callable[[Leaf, Context], Q]"
    help: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    known: Callable[[Context], Iterable[str]] | None = None
    check: Callable[[str], str | None] | None = None
    whole: bool = True

    def wrong(self, operator: str, value: Any) -> str | None:
        """The sentence that refuses ``value`` (of several, a single one of them); None if it fits."""
        if operator == "is_set" or self.kind is Kind.FLAG:
            return None if isinstance(value, bool) else "Must be true or false."
        if self.kind is Kind.NUMBER:
            return self._wrong_number(value)
        if not isinstance(value, str):
            return "Must be a list of single values." if isinstance(value, list) else "Must be a text."
        if sentence := unstorable(value):
            return sentence
        if self.kind is Kind.CHOICE:
            return None if value in self.words else unknown_choice(value, list(self.words))
        if self.kind is Kind.TIME:
            return times.wrong(value, day_only=operator == "on")
        if not value.strip():
            return "Must not be empty."
        if len(value) > LONGEST_TEXT:
            return f"Must have at most {LONGEST_TEXT:,} characters."
        return self.check(value) if self.check else None

    def _wrong_number(self, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return "Must be a number."
        if not -MOST <= value <= MOST:
            return f"Must be from {-MOST:,} to {MOST:,}."
        return "Must be a whole number." if self.whole and value != int(value) else None

    def shown(self, value: Any) -> str:
        """A value of the field for people."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if self.kind is Kind.NUMBER:
            return f"{value:,}"
        return self.labels.get(value, value)


def table(*fields: Field) -> dict[str, Field]:
    """Fields by name, as ``read`` and ``compile`` take them."""
    return {each.name: each for each in fields}


def _equal(having: Callable[[Sequence[Any], Context], Q], leaf: "Leaf", context: Context) -> Q:
    """``is``, ``is_not``, ``in`` and ``not_in`` by the rows that have any of the values."""
    rows = having(leaf.values, context)
    return ~rows if leaf.operator in ("is_not", "not_in") else rows


def _set(column: str, leaf: "Leaf") -> Q:
    return Q(**{f"{column}__isnull": not leaf.value})


def choice(
    name: str,
    label: str,
    column: str,
    words: Mapping[str, Any],
    *,
    labels: Mapping[str, str] | None = None,
    ordered: bool = False,
    nullable: bool = False,
    help: str = "",
) -> Field:
    """Of a fixed list of ``words``, each for the value that it stands for. ``ordered``: from the least to the most."""
    order = list(words)

    def compiled(leaf: "Leaf", context: Context) -> Q:
        match leaf.operator:
            case "is_set":
                return _set(column, leaf)
            case "at_least" | "at_most":
                place = order.index(leaf.value)
                meant = order[place:] if leaf.operator == "at_least" else order[: place + 1]
                return _within(column, [words[word] for word in meant], nullable)
            case _:
                return _equal(
                    lambda values, _: _within(column, [words[each] for each in values], nullable), leaf, context
                )

    operators = (*_EQUAL, *(("at_least", "at_most") if ordered else ()), *(("is_set",) if nullable else ()))
    return Field(name, label, Kind.CHOICE, operators, compiled, help, dict(words), dict(labels or {}))


def _within(column: str, stored: Sequence[Any], nullable: bool) -> Q:
    return _present(column, Q(**{f"{column}__in": stored}), nullable)


def _present(column: str, rows: Q, nullable: bool) -> Q:
    # Of an expression Django does not know that it may be NULL, and would lose those rows to a negation.
    return rows & Q(**{f"{column}__isnull": False}) if nullable else rows


def _compared(column: str, lookups: Mapping[str, str], nullable: bool) -> Callable[["Leaf", Context], Q]:
    """The rows of a condition on ``column``: equal to values, set, or by the operators of ``lookups``."""

    def compiled(leaf: "Leaf", context: Context) -> Q:
        if leaf.operator == "is_set":
            return _set(column, leaf)
        if leaf.operator in lookups:
            return _present(column, Q(**{f"{column}__{lookups[leaf.operator]}": leaf.value}), nullable)
        return _equal(lambda values, _: _within(column, values, nullable), leaf, context)

    return compiled


def number(name: str, label: str, column: str, *, nullable: bool = False, whole: bool = True, help: str = "") -> Field:
    """A number. ``whole``: fractions are refused."""
    compiled = _compared(column, {"at_least": "gte", "at_most": "lte"}, nullable)
    operators = (*_EQUAL, "at_least", "at_most", *(("is_set",) if nullable else ()))
    return Field(name, label, Kind.NUMBER, operators, compiled, help, whole=whole)


def time(
    name: str, label: str, column: str, *, nullable: bool = False, where: Q | None = None, help: str = ""
) -> Field:
    """A time. ``where``: it counts only in these rows."""

    def compiled(leaf: "Leaf", context: Context) -> Q:
        counted = where if where is not None else Q()
        if leaf.operator == "is_set":
            has = Q(**{f"{column}__isnull": False}) & counted
            return has if leaf.value else ~has
        start, end = times.span(leaf.value, context)
        rows = Q()
        if leaf.operator != "before":
            rows &= Q(**{f"{column}__gte": start})
        if leaf.operator != "after":
            rows &= Q(**{f"{column}__lt": start if leaf.operator == "before" else end})
        return _present(column, rows & counted, nullable)

    operators = ("before", "after", "on", *(("is_set",) if nullable or where is not None else ()))
    return Field(name, label, Kind.TIME, operators, compiled, help or times.HELP)


def text(name: str, label: str, column: str, *, nullable: bool = False, help: str = "") -> Field:
    """A text of one column; parts of it are looked for in any case."""
    compiled = _compared(column, {"contains": "icontains", "starts_with": "istartswith"}, nullable)
    operators = (*_EQUAL, "contains", "starts_with", *(("is_set",) if nullable else ()))
    return Field(name, label, Kind.TEXT, operators, compiled, help)


def search(name: str, label: str, rows: Callable[[str], Q], *, help: str = "") -> Field:
    """A text that is looked for in several places."""
    return Field(name, label, Kind.TEXT, ("contains",), lambda leaf, context: rows(leaf.value), help)


def flag(name: str, label: str, rows: Callable[[Context], Q], *, help: str = "") -> Field:
    """Whether a row is one of ``rows``."""

    def compiled(leaf: "Leaf", context: Context) -> Q:
        return rows(context) if leaf.value else ~rows(context)

    return Field(name, label, Kind.FLAG, ("is",), compiled, help)


def names(
    name: str,
    label: str,
    having: Callable[[Sequence[str], Context], Q],
    *,
    any_at_all: Callable[[Context], Q] | None = None,
    known: Callable[[Context], Iterable[str]] | None = None,
    check: Callable[[str], str | None] | None = None,
    help: str = "",
) -> Field:
    """Names of things that come and go. ``having``: the rows that have any of these; a name that nothing has is none.

    ``any_at_all``: the rows that have any, for ``is_set``. ``check`` says why a text is no such name.
    """

    def compiled(leaf: "Leaf", context: Context) -> Q:
        if leaf.operator == "is_set":
            assert any_at_all is not None
            return any_at_all(context) if leaf.value else ~any_at_all(context)
        return _equal(having, leaf, context)

    operators = (*_EQUAL, *(("is_set",) if any_at_all else ()))
    return Field(name, label, Kind.NAMES, operators, compiled, help, known=known, check=check)
