"""Conditions as documents: ``{"all": […]}``, ``{"any": […]}``, ``{"not": …}``, ``{"field": "label", "in": ["bug"]}``.

Knows no model. Which fields there are, and what each becomes in the database, is given by a table of ``Field``s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as declared
from typing import Any, NoReturn

from taskproject.errors import Invalid, nearest, shortened, unknown_name
from taskproject.strict_json import DECODER, shown_name, why
from tasks.conditions.fields import OPERATORS, Field

#: Levels of all, any and not within each other; conditions in a whole; values of one condition.
DEEPEST, MOST_LEAVES, MOST_VALUES = 6, 50, 200
#: Characters of a document in an address.
LONGEST = 8_000
GROUPS = ("all", "any", "not")
EXAMPLE = '{"field": "status", "in": ["waiting"]}'


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one field must be. ``value`` is as in the document; several values are a tuple."""

    field: str
    operator: str
    value: Any
    place: str = declared(default="", compare=False)

    @property
    def values(self) -> tuple[Any, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True, slots=True)
class All:
    """Every part applies; without parts, everything does."""

    parts: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - as in the documents; Any is taken
    """At least one part applies."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not apply."""

    part: "Condition"


Condition = Leaf | All | Any_ | Not
Fields = Mapping[str, Field]


def read(document: Any, fields: Fields, *, place: str = "where") -> Condition:
    """The condition that a decoded ``document`` states; None states none.

    Raises ``Invalid`` with one sentence at the place of the first mistake, such as ``where.all[1].in``.
    """
    if document is None:
        return All()
    return _Reader(fields).condition(document, place, 0)


def loads(text: str, fields: Fields, *, place: str = "where") -> Condition:
    """The same for a document as JSON text. Raises ``Invalid``."""
    if len(text) > LONGEST:
        _refuse(place, f"Must have at most {LONGEST:,} characters.")
    try:
        document = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        _refuse(place, f"Must be JSON such as {EXAMPLE}: {why(error)}".removesuffix(".") + ".")
    return read(document, fields, place=place)


def document_of(condition: Condition) -> dict[str, Any]:
    """The document that states ``condition``; ``read`` gives the same condition again."""
    match condition:
        case Leaf():
            value = list(condition.value) if isinstance(condition.value, tuple) else condition.value
            return {"field": condition.field, condition.operator: value}
        case Not():
            return {"not": document_of(condition.part)}
        case All() | Any_():
            name = "all" if isinstance(condition, All) else "any"
            return {name: [document_of(part) for part in condition.parts]}


def leaves(condition: Condition) -> Iterator[Leaf]:
    """What it says about single fields, from left to right."""
    match condition:
        case Leaf():
            yield condition
        case Not():
            yield from leaves(condition.part)
        case _:
            for part in condition.parts:
                yield from leaves(part)


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """What must all apply, each by itself."""
    if not isinstance(condition, All):
        return (condition,)
    return tuple(inner for part in condition.parts for inner in parts_of(part))


def both(*conditions: Condition) -> Condition:
    """All of these, without needless nesting."""
    parts = parts_of(All(conditions))
    return parts[0] if len(parts) == 1 else All(parts)


def _refuse(place: str, sentence: str) -> NoReturn:
    raise Invalid({place: sentence})


class _Reader:
    """Reads one document; counts its conditions."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.count = 0

    def condition(self, document: Any, place: str, depth: int) -> Condition:
        if not isinstance(document, dict):
            _refuse(place, f"Must be an object such as {EXAMPLE}.")
        if depth > DEEPEST:
            _refuse(place, f"Is nested more than {DEEPEST} levels deep.")
        groups = [name for name in GROUPS if name in document]
        if not groups:
            return self._leaf(document, place)
        if len(document) > 1:
            other = next(name for name in document if name != groups[0])
            _refuse(place, f"Has {groups[0]} and {shown_name(str(other))}; put one inside the other.")
        name = groups[0]
        inner = document[name]
        if name == "not":
            return Not(self.condition(inner, f"{place}.not", depth + 1))
        if not isinstance(inner, list):
            _refuse(f"{place}.{name}", "Must be a list of conditions.")
        if name == "any" and not inner:
            _refuse(f"{place}.any", "Must have at least one condition; nothing could ever apply.")
        if len(inner) > MOST_LEAVES:
            _refuse(f"{place}.{name}", f"Must have at most {MOST_LEAVES} conditions.")
        parts = tuple(self.condition(part, f"{place}.{name}[{index}]", depth + 1) for index, part in enumerate(inner))
        return All(parts) if name == "all" else Any_(parts)

    def _leaf(self, document: dict[str, Any], place: str) -> Leaf:
        self.count += 1
        if self.count > MOST_LEAVES:
            _refuse(place, f"The whole must have at most {MOST_LEAVES} conditions.")
        if "field" not in document:
            self._no_field(document, place)
        name = document["field"]
        if not isinstance(name, str):
            _refuse(f"{place}.field", "Must be the name of a field.")
        if name not in self.fields:
            _refuse(f"{place}.field", unknown_name(name, self.fields, what="field"))
        given = [key for key in document if key != "field"]
        field = self.fields[name]
        takes = f"{name} takes {', '.join(field.operators)}."
        if not given:
            _refuse(place, f"Has no operator; {takes}")
        operator = given[0]
        if operator not in field.operators:
            if operator in OPERATORS:
                _refuse(f"{place}.{operator}", f"Does not fit {name}; {takes}")
            _refuse(place, f"{unknown_name(operator, field.operators, what='operator')} {takes}")
        if len(given) > 1:
            second = given[1] if given[1] in OPERATORS else shown_name(given[1])
            _refuse(place, f"Has {operator} and {second}; write two conditions under all.")
        return Leaf(name, operator, self._value(field, operator, document[operator], f"{place}.{operator}"), place)

    def _no_field(self, document: dict[str, Any], place: str) -> NoReturn:
        for key in document:
            if key not in OPERATORS and (close := nearest(key, ("field", *GROUPS))):
                _refuse(place, f"There is no {shortened(key)!r} here; did you mean {close!r}?")
        _refuse(place, f"Must have a field, or all, any or not; such as {EXAMPLE}.")

    def _value(self, field: Field, operator: str, value: Any, place: str) -> Any:
        if operator not in ("in", "not_in"):
            if sentence := field.wrong(operator, value):
                _refuse(place, sentence)
            return value
        if not isinstance(value, list):
            _refuse(place, f"Must be a list; for a single value write {'is' if operator == 'in' else 'is_not'}.")
        if not value:
            _refuse(place, "Must have at least one value.")
        if len(value) > MOST_VALUES:
            _refuse(place, f"Must have at most {MOST_VALUES} values.")
        for index, item in enumerate(value):
            if sentence := field.wrong(operator, item):
                _refuse(f"{place}[{index}]", sentence)
        return tuple(value)
