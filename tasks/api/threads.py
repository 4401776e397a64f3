"""What the API of all messages shares: pages from any message on, finding one, showing it."""

from collections.abc import Sequence
from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.pagination import CursorPagination
from taskproject.api.views import LIST_QUERY_NAMES, ListView
from taskproject.errors import Invalid
from taskproject.keyset import Place
from tasks.models import Message
from tasks.querysets import MessageQuerySet
from tasks.thread import message_outputs

FROM = OpenApiParameter(
    "from",
    OpenApiTypes.INT,
    description="The id of a message: the page begins with it, or with the next one in the order; `previous` leads to"
    " what came before. So a reader begins with the first unread message and reads in both directions.",
)
HTML = OpenApiParameter(
    "html", OpenApiTypes.BOOL, description="With `true` each message also has `html`: its body as sanitised HTML."
)


class MessagePagination(CursorPagination):
    """Pages by id, which begin at the message ``?from=``."""

    def begin(self, request: Request, queryset: QuerySet, column: str, *, descending: bool) -> Place | None:
        text = request.query_params.get("from")
        if not text or request.query_params.get("cursor"):
            return super().begin(request, queryset, column, descending=descending)
        if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:19]) < 2**63 - 1:
            raise Invalid({"from": "Must be the id of a message."})
        begins = int(text[:19])
        return Place(begins, begins + 1 if descending else begins - 1)


class ThreadView(ListView):
    """A conversation in pages, the oldest message first."""

    pagination_class = MessagePagination
    query_names: ClassVar[Sequence[str]] = (*LIST_QUERY_NAMES, "from", "html")
    orderings = {"id": "pk"}

    def show_messages(self, messages: MessageQuerySet) -> Response:
        html = with_html(self.request)
        return self.show_page(messages.to_show(), lambda page: message_outputs(page, html=html))


def with_html(request: Request) -> bool:
    """Whether the caller asks for rendered bodies."""
    text = request.query_params.get("html", "")
    if text not in ("", "true", "false"):
        raise Invalid({"html": "Must be true or false."})
    return text == "true"


def answer_with(message: Message, *, status: int = 200, html: bool = False) -> Response:
    """A response with ``message``."""
    return Response(message_outputs([message], html=html)[0], status=status)
