"""The base of every view of the API: the caller, strict queries and bodies, pages."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.pagination import CursorPagination
from taskproject.errors import Invalid, NotPermitted, unknown_name
from taskproject.reach import reach_of
from taskproject.strict_json import unstorable

LIST_QUERY_NAMES = ("limit", "cursor", "ordering")


class View(GenericAPIView):
    """An endpoint for authenticated callers; ``actor`` is the caller's user."""

    pagination_class: Any = None
    filter_backends: Sequence[Any] = ()
    #: Known query parameters; any other is refused, because an ignored filter shows the wrong rows.
    query_names: ClassVar[Sequence[str]] = ()
    #: Whether even its POST only reads, so that credentials that may not write may use it.
    changes_nothing: ClassVar[bool] = False

    @property
    def actor(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        writes = request.method not in SAFE_METHODS and not self.changes_nothing
        if writes and reach_of(request.user).read_only:
            raise NotPermitted("This token may only read.", "Use one that may write.")
        for name in request.query_params:
            if name not in self.query_names:
                raise Invalid({name: unknown_name(name, sorted(self.query_names), what="parameter")})
            for value in request.query_params.getlist(name):
                if problem := unstorable(value):
                    raise Invalid({name: problem})

    def read(self, serializer: type[serializers.Serializer]) -> Any:
        """The body, validated by ``serializer``. Raises DRF's ``ValidationError`` with the fields."""
        return _shared(serializer).run_validation(self.request.data)


def shown(serializer: type[serializers.Serializer], instance: Any) -> dict[str, Any]:
    """``instance`` as ``serializer`` shows it."""
    output: dict[str, Any] = _shared(serializer).to_representation(instance)
    return output


@functools.cache
def _shared(serializer: type[serializers.Serializer]) -> serializers.Serializer:
    """One instance for all requests: validation keeps no state, and creating the fields costs more than using them."""
    return serializer()


class ListView(View):
    """A list in pages."""

    pagination_class = CursorPagination

    def show_page(self, queryset: QuerySet, show_all: Callable[[list[Any]], Iterable[Any]]) -> Response:
        """The requested page, its rows shown together by ``show_all``."""
        page = self.paginate_queryset(queryset)
        assert page is not None
        return self.get_paginated_response(list(show_all(list(page))))

    def show_each(self, queryset: QuerySet, serializer: type[serializers.Serializer]) -> Response:
        """The requested page, each row as ``serializer`` shows it."""
        return self.show_page(queryset, lambda rows: [shown(serializer, row) for row in rows])
