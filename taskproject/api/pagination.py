"""Cursor pages by keyset.

DRF's own cursor pagination skips ties by an offset that it caps, and so loses rows if thousands of tasks share a
priority.
"""

from typing import Any

from django.db.models import QuerySet
from rest_framework import exceptions, pagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from taskproject.keyset import NotAPlace, Place, page_of, read_place

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
        place = self.begin(request, queryset, column, descending=descending)
        self.page = page_of(queryset, column, place, descending=descending, limit=limit)
        return self.page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self._url(self.page.next), "previous": self._url(self.page.previous)})

    def begin(self, request: Request, queryset: QuerySet, column: str, *, descending: bool) -> Place | None:
        """Where the page begins; None: with the first row."""
        cursor = request.query_params.get("cursor")
        if not cursor:
            return None
        try:
            return read_place(cursor, queryset, column)
        except NotAPlace:
            text = "It is not one of ours; follow `next` or start without one."
            raise exceptions.ValidationError({"cursor": text}) from None

    def _ordering(self, request: Request, view: Any) -> tuple[str, bool]:
        orderings: dict[str, str] = getattr(view, "orderings", {"id": "pk"})
        default: str = getattr(view, "default_ordering", next(iter(orderings)))
        name = request.query_params.get("ordering") or default
        if name.removeprefix("-") not in orderings:
            names = ", ".join(orderings)
            raise exceptions.ValidationError({"ordering": f"Must be one of {names}, with a leading - to reverse it."})
        return orderings[name.removeprefix("-")], name.startswith("-")

    def _url(self, place: Place | None) -> str | None:
        if place is None:
            return None
        url = remove_query_param(self.request.build_absolute_uri(), "cursor")
        return replace_query_param(url, "cursor", str(place))

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
