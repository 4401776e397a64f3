"""The place in the stream at which a page was read: what comes behind it, the page has yet to hear of."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from tasks.events.reading import present_cursor

#: Answers below these carry no page that follows the stream from before its rows were read.
APART = ("/api/", "/admin/")


class StreamCursorMiddleware:
    """Gives each request ``stream_cursor``, for the page to carry.

    For our own pages it is taken before the view reads a row: page + events behind the cursor = a fresh page. Elsewhere
    it is taken when it is asked for.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.stream_cursor = SimpleLazyObject(lambda: str(present_cursor()))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if not request.path.startswith(APART) and request.user.is_authenticated:
            request.stream_cursor = str(present_cursor())  # type: ignore[attr-defined]
