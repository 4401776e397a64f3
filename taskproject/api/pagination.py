"""Cursor pages by keyset: the cursor contains the ordering value and id of the last row, so ties cost nothing.

DRF's own cursor pagination skips ties by an offset that it caps, and so loses rows if thousands of tasks share a
priority.
"""

import base64
import binascii
from datetime import datetime
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet
from rest_framework import exceptions, pagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

DEFAULT_LIMIT, MAX_LIMIT = 50, 200


class CursorPagination(pagination.BasePagination):
    """``?limit=`` (at most 200, 50 by default), ``?cursor=`` and ``?ordering=`` for views that have ``orderings``.

    A view's ``orderings`` maps public names to columns that are never NULL, and it sets ``default_ordering``.
    A leading ``-`` reverses an ordering. The primary key breaks ties in the same direction.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        limit = limit_in(request.query_params.get("limit"))
        column, descending = self._ordering(request, view)
        backward, position = self.begin(request, queryset, column, descending=descending)
        reverse = descending != backward
        names = [column, "pk"] if column != "pk" else ["pk"]
        ordered = queryset.order_by(*(F(name).desc() if reverse else F(name).asc() for name in names))
        if position is not None:
            ordered = ordered.filter(self._beyond(column, position, "lt" if reverse else "gt"))
        rows = list(ordered[: limit + 1])
        more, rows = len(rows) > limit, rows[:limit]
        if backward:
            rows.reverse()
        has_next, has_previous = (True, more) if backward else (more, position is not None)
        self.next_url = self._url(rows[-1], column, backward=False) if rows and has_next else None
        self.previous_url = self._url(rows[0], column, backward=True) if rows and has_previous else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next_url, "previous": self.previous_url})

    def begin(
        self, request: Request, queryset: QuerySet, column: str, *, descending: bool
    ) -> tuple[bool, tuple[Any, Any] | None]:
        """Whether the page goes backward, and the value and id that it begins after; None: with the first row."""
        return self._decode(request.query_params.get("cursor"), queryset, column)

    def _ordering(self, request: Request, view: Any) -> tuple[str, bool]:
        orderings: dict[str, str] = getattr(view, "orderings", {"id": "pk"})
        default: str = getattr(view, "default_ordering", next(iter(orderings)))
        name = request.query_params.get("ordering") or default
        if name.removeprefix("-") not in orderings:
            names = ", ".join(orderings)
            raise exceptions.ValidationError({"ordering": f"Must be one of {names}, with a leading - to reverse it."})
        return orderings[name.removeprefix("-")], name.startswith("-")

    @staticmethod
    def _beyond(column: str, position: tuple[Any, Any], side: str) -> Q:
        value, pk = position
        if column == "pk":
            return Q(**{f"pk__{side}": pk})
        # The first condition lets the index jump to the position; the second breaks ties.
        return Q(**{f"{column}__{side}e": value}) & (Q(**{f"{column}__{side}": value}) | Q(**{f"pk__{side}": pk}))

    def _url(self, row: Model | dict[str, Any], column: str, *, backward: bool) -> str:
        pk = row["id"] if isinstance(row, dict) else row.pk
        value = pk if column == "pk" else row[column] if isinstance(row, dict) else getattr(row, column)
        text = value.isoformat() if isinstance(value, datetime) else value
        raw = orjson.dumps(["b" if backward else "f", text, pk])
        cursor = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        url = remove_query_param(self.request.build_absolute_uri(), "cursor")
        return replace_query_param(url, "cursor", cursor)

    @staticmethod
    def _decode(cursor: str | None, queryset: QuerySet, column: str) -> tuple[bool, tuple[Any, Any] | None]:
        if not cursor:
            return False, None
        refusal = exceptions.ValidationError({"cursor": "It is not one of ours; follow `next` or start without one."})
        meta = queryset.model._meta
        field: Any = meta.pk if column == "pk" else meta.get_field(column)
        field = getattr(field, "output_field", None) or field
        try:
            direction, text, pk = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            value, key = field.to_python(text), meta.pk.to_python(pk)
        except (ValueError, TypeError, binascii.Error, ValidationError):
            raise refusal from None
        if direction not in ("f", "b") or value is None or key is None:
            raise refusal
        if any(isinstance(number, int) and not 0 <= number < 2**63 for number in (value, key)):
            raise refusal
        return direction == "b", (value, key)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        def parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
            return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

        parameters = [
            parameter(
                "limit",
                "Rows per page.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            ),
            parameter("cursor", "From `next` or `previous` of an earlier answer.", {"type": "string"}),
        ]
        if orderings := getattr(view, "orderings", None):
            names = [name for plain in orderings for name in (plain, f"-{plain}")]
            parameters.append(parameter("ordering", "Order of the rows.", {"type": "string", "enum": names}))
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        url = {"type": ["string", "null"], "format": "uri", "example": None}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": url, "previous": url},
        }


def limit_in(text: str | None) -> int:
    """How many rows ``?limit=`` asks for. Raises ``ValidationError``."""
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise exceptions.ValidationError({"limit": f"Must be a number from 1 to {MAX_LIMIT}."})
    return int(text)
