"""Conditions in the words of whoever reads them: *Status is Waiting or In review*."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from taskproject.errors import nearest, shortened
from tasks.conditions.fields import OPERATORS, Context, Field, Kind
from tasks.conditions.grammar import All, Any_, Condition, Fields, Leaf, Not, leaves
from tasks.conditions.times import in_words

#: Values that are named; the others are counted.
MOST_NAMED = 4
#: With so many names or more, not all of them are known.
MOST_KNOWN = 200


def words_of(condition: Condition, fields: Fields, *, zone: ZoneInfo) -> str:
    """What ``condition`` states, without a full stop; empty if it states nothing. Moments are in ``zone``."""
    match condition:
        case Leaf():
            return _leaf(condition, fields[condition.field], zone)
        case Not():
            return f"not ({words_of(condition.part, fields, zone=zone)})"
        case All():
            return " and ".join(_inner(part, fields, zone, Any_) for part in condition.parts)
        case Any_():
            return " or ".join(_inner(part, fields, zone, All) for part in condition.parts)


def _inner(part: Condition, fields: Fields, zone: ZoneInfo, wrapped: type) -> str:
    words = words_of(part, fields, zone=zone)
    return f"({words})" if isinstance(part, wrapped) and len(getattr(part, "parts", ())) > 1 else words


def _leaf(leaf: Leaf, field: Field, zone: ZoneInfo) -> str:
    if leaf.operator == "is_set":
        return f"{field.label} is {'' if leaf.value else 'not '}set"
    if field.kind is Kind.FLAG:
        return field.label if leaf.value else f"not {field.label[:1].lower()}{field.label[1:]}"
    is_time = field.kind is Kind.TIME
    shown = [shortened(in_words(value, zone) if is_time else field.shown(value), 60) for value in leaf.values]
    if len(shown) > MOST_NAMED:
        shown = [*shown[: MOST_NAMED - 1], f"{len(shown) - MOST_NAMED + 1} more"]
    return f"{field.label} {OPERATORS[leaf.operator]} {' or '.join(shown)}"


def missing(condition: Condition, fields: Fields, context: Context) -> list[str]:
    """A sentence for each name in ``condition`` that exists nowhere the reader sees: nothing can have it."""
    sentences: list[str] = []
    for leaf in leaves(condition):
        field = fields[leaf.field]
        if field.known is None or leaf.operator == "is_set":
            continue
        known = list(field.known(context))
        if len(known) < MOST_KNOWN:
            sentences += _unknown(leaf.values, known, field.label)
    return list(dict.fromkeys(sentences))


def _unknown(values: Iterable[str], known: list[str], label: str) -> Iterable[str]:
    for value in values:
        if value not in known:
            close = nearest(value, known)
            hint = f"; did you mean {close}?" if close else "."
            yield f"{label} {shortened(value, 60)} is not in your projects{hint}"
