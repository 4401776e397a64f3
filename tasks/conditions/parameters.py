"""Conditions in an address: plain parameters for what is asked most, and ``where`` with a document for all the rest.

``?status=waiting,in_review&label=bug&due_before=today`` and ``?where={"any": […]}``; all of them apply together.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from taskproject.errors import Invalid, unknown_name, unknown_names
from taskproject.strict_json import unstorable
from taskproject.zones import known_zone, known_zones
from tasks.conditions.fields import Field, Kind
from tasks.conditions.grammar import Condition, Fields, Leaf, both, document_of, loads, parts_of

if TYPE_CHECKING:
    from django.utils.datastructures import MultiValueDict

WHERE: Final = "where"
TZ: Final = "tz"
#: What elsewhere is called sort, which no word like it tells.
ORDERING: Final = "ordering"
#: A ref is never this word.
NONE: Final = "none"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A plain parameter. ``several``: given several times, or with commas, any of the values applies."""

    name: str
    field: Field
    operator: str
    several: bool = False

    @property
    def may_be_none(self) -> bool:
        """Whether ``none`` means that the field is not set: only where no name is spelled like it."""
        return self.field.check is not None and "is_set" in self.field.operators


def parameters(fields: Fields) -> dict[str, Parameter]:
    """The plain parameters of ``fields``, by name; numbers have none."""
    return {each.name: each for field in fields.values() for each in _parameters(field)}


def _parameters(field: Field) -> Iterator[Parameter]:
    match field.kind:
        case Kind.CHOICE | Kind.NAMES:
            yield Parameter(field.name, field, "in", several=True)
        case Kind.TIME:
            yield Parameter(f"{field.name}_before", field, "before")
            yield Parameter(f"{field.name}_after", field, "after")
        case Kind.FLAG:
            yield Parameter(field.name, field, "is")
        case Kind.TEXT:
            # ``q`` is what every list calls its search.
            yield Parameter("q" if field.name == "text" else field.name, field, field.operators[0])


def read_query(
    query: "MultiValueDict[str, str]",
    fields: Fields,
    known: Mapping[str, Parameter],
    *,
    others: Collection[str] = (),
    unsaid: Collection[str] = (),
) -> Condition:
    """The condition that the parameters of an address state together; empty ones state nothing.

    ``known``: ``parameters(fields)``; ``others`` and ``unsaid`` are read by somebody else, and nobody means one of
    ``unsaid`` by a name that is like it. Raises ``Invalid`` with a sentence for each parameter that is unknown or
    wrong.
    """
    said = (*known, WHERE, *others)
    unknown = [name for name in query if name not in said and name not in unsaid]
    wrong: dict[str, list[str]] = unknown_names(unknown, said, what="parameter")
    if ORDERING in others:
        meant = f"did you mean {ORDERING!r}?"
        wrong |= {name: [f"There is no parameter {name!r}; {meant}"] for name in wrong if name.startswith("sort")}
    parts: list[Condition] = []
    for name, texts in query.lists():
        texts = [text.strip() for text in texts if text.strip()]
        if not texts or name not in (*known, WHERE):
            continue
        try:
            if name == WHERE:
                parts.append(loads(_single(texts, name), fields))
            else:
                parts.append(_leaf(known[name], texts))
        except Invalid as mistake:
            wrong |= mistake.data["errors"]
    if wrong:
        raise Invalid({**wrong})
    return both(*parts)


def _single(texts: list[str], name: str) -> str:
    if len(texts) > 1:
        raise Invalid({name: "Give it once."})
    return texts[0]


def _leaf(parameter: Parameter, texts: list[str]) -> Leaf:
    name, field = parameter.name, parameter.field
    if parameter.several:
        values = tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
        if parameter.may_be_none and values == (NONE,):
            return Leaf(field.name, "is_set", False, name)
        for value in values:
            if sentence := field.wrong("in", value):
                raise Invalid({name: f"{sentence.removesuffix('.')}, or none." if parameter.may_be_none else sentence})
        return Leaf(field.name, "in", values, name)
    text = _single(texts, name)
    if field.kind is Kind.FLAG:
        if text.lower() not in _FLAGS:
            raise Invalid({name: "Must be true or false."})
        return Leaf(field.name, "is", _FLAGS[text.lower()], name)
    if field.kind is Kind.TIME and " " in text and field.wrong(parameter.operator, text):
        # A plus sign that was not encoded arrives as a space.
        text = "+".join(text.rsplit(" ", 1))
    if sentence := field.wrong(parameter.operator, text):
        raise Invalid({name: sentence})
    return Leaf(field.name, parameter.operator, text, name)


def query_of(condition: Condition, known: Mapping[str, Parameter]) -> dict[str, str]:
    """The parameters that state ``condition``: plain ones as far as they can, ``where`` for what is left."""
    plain: dict[str, str] = {}
    rest: list[Condition] = []
    by_leaf = {(each.field.name, each.operator): each for each in known.values()}
    for part in parts_of(condition):
        given = _plain(part, by_leaf)
        if given is None or given[0] in plain:
            rest.append(part)
        else:
            plain[given[0]] = given[1]
    if rest:
        plain[WHERE] = json.dumps(document_of(both(*rest)), ensure_ascii=False, separators=(",", ":"))
    return plain


def _plain(part: Condition, by_leaf: Mapping[tuple[str, str], Parameter]) -> tuple[str, str] | None:
    if not isinstance(part, Leaf):
        return None
    if part.operator == "is_set" and part.value is False:
        parameter = by_leaf.get((part.field, "in"))
        return (parameter.name, NONE) if parameter is not None and parameter.may_be_none else None
    operator = "in" if part.operator == "is" and (part.field, "in") in by_leaf else part.operator
    parameter = by_leaf.get((part.field, operator))
    if parameter is None:
        return None
    values = [str(value).lower() if isinstance(value, bool) else str(value) for value in part.values]
    if any(value != value.strip() or (parameter.several and "," in value) for value in values):
        return None
    return parameter.name, ",".join(values)


def read_zone(query: "MultiValueDict[str, str]", otherwise: ZoneInfo) -> ZoneInfo:
    """The zone whose days the parameters mean: ``tz``, if it is given. Raises ``Invalid``."""
    name = query.get(TZ, "").strip()
    zone = known_zone(name) if name else otherwise
    if zone is None:
        raise Invalid({TZ: unstorable(name) or unknown_name(name, sorted(known_zones()), what="time zone")})
    return zone
