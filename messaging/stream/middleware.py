"""The stream position at which a page was read: the page has yet to receive what comes after it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from tasks.events.reading import present_cursor

#: Paths below these serve no pages that follow the stream from before their rows were read.
APART = ("/api/", "/admin/")


class StreamCursorMiddleware:
    """Sets ``stream_cursor`` on each request, for the page to carry.

    For our own pages it is read before the view reads a row: page + events after the cursor = a fresh page. Elsewhere
    it is read on demand.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.stream_cursor = SimpleLazyObject(lambda: str(present_cursor()))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if not request.path.startswith(APART) and request.user.is_authenticated:
            request.stream_cursor = str(present_cursor())  # type: ignore[attr-defined]
