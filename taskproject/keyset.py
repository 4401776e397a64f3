"""Pages by keyset: a place in an order is the ordering value and id of a row, so ties cost nothing and pages never
skip or repeat a row, however many tie or come meanwhile.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet


class NotAPlace(ValueError):
    """The text is no place in this order."""


@dataclass(frozen=True, slots=True)
class Place:
    """Between two rows: after (or, ``backward``, before) the row with this value and id."""

    value: Any
    pk: Any
    backward: bool = False

    def __str__(self) -> str:
        """The place for an address; ``read_place`` reads it."""
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        raw = orjson.dumps(["b" if self.backward else "f", value, self.pk])
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in their order, and the places of what is before and after them; None if there is nothing."""

    rows: list[Any]
    next: Place | None
    previous: Place | None


def read_place(text: str, queryset: QuerySet, column: str) -> Place:
    """The place that ``text`` names in the order by ``column``, which is never NULL. Raises ``NotAPlace``."""
    meta = queryset.model._meta
    annotation = queryset.query.annotations.get(column)
    field: Any = annotation or (meta.pk if column == "pk" else meta.get_field(column))
    field = getattr(field, "output_field", None) or field
    try:
        direction, value, key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        value = field.to_python(value)
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC)  # which the first and the last hours there are may not have
        place = Place(value, meta.pk.to_python(key), direction == "b")
    except (OverflowError, ValueError, TypeError, binascii.Error, ValidationError):
        raise NotAPlace from None
    if direction not in ("f", "b") or place.value is None or place.pk is None:
        raise NotAPlace
    if any(isinstance(each, int) and not 0 <= each < 2**63 for each in (place.value, place.pk)):
        raise NotAPlace
    if isinstance(place.value, str) and "\0" in place.value:
        raise NotAPlace
    return place


def page_of(queryset: QuerySet, column: str, place: Place | None, *, descending: bool, limit: int) -> Page:
    """At most ``limit`` rows from ``place`` on; None: from the first. The id breaks ties in the same direction.

    A queryset that has ``first_rows`` may know a shorter way to them.
    """
    backward = place is not None and place.backward
    reverse = descending != backward
    shorter = getattr(queryset, "first_rows", None)
    first = shorter(column, place, reverse=reverse, count=limit + 1) if shorter else None
    if first is None:
        names = [column, "pk"] if column != "pk" else ["pk"]
        rest = queryset if place is None else queryset.filter(beyond(column, place, reverse=reverse))
        ordered = rest.order_by(*(F(name).desc() if reverse else F(name).asc() for name in names))
        first = [(_value_of(row, column), _value_of(row, "pk"), row) for row in ordered[: limit + 1]]
    more, first = len(first) > limit, first[:limit]
    if backward:
        first.reverse()
    has_next, has_previous = (True, more) if backward else (more, place is not None)
    return Page(
        [row for _, _, row in first],
        next=Place(first[-1][0], first[-1][1], backward=False) if first and has_next else None,
        previous=Place(first[0][0], first[0][1], backward=True) if first and has_previous else None,
    )


def beyond(column: str, place: Place, *, reverse: bool) -> Q:
    """The rows after ``place`` in the order by ``column`` and id; ``reverse``: those before it."""
    side = "lt" if reverse else "gt"
    if column == "pk":
        return Q(**{f"pk__{side}": place.pk})
    # The first condition lets the index jump to the position; the second breaks ties.
    return Q(**{f"{column}__{side}e": place.value}) & (
        Q(**{f"{column}__{side}": place.value}) | Q(**{f"pk__{side}": place.pk})
    )


def _value_of(row: Model | dict[str, Any], column: str) -> Any:
    if isinstance(row, dict):
        return row["id" if column == "pk" else column]
    return getattr(row, column)
