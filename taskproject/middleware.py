"""Limits on every request, headers of every response, and the zone of the times in it."""

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone
from django.utils.module_loading import import_string

from taskproject.api.bearer import secret_in
from taskproject.api.problems import problem_response
from taskproject.watch import doors
from tasks.zones import zone_of

#: Characters of a path with its query, as nginx allows too: SQLite refuses to search for much longer texts.
LONGEST_ADDRESS = 8_000

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class AddressLengthMiddleware:
    """Refuses addresses longer than any that a page or a client makes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = len(request.path) + len(request.META.get("QUERY_STRING", ""))
        if length <= LONGEST_ADDRESS:
            return self.get_response(request)
        sentence = f"The address has {length:,} characters; at most {LONGEST_ADDRESS:,} are accepted."
        if request.path.startswith("/api/"):
            return problem_response("address_too_long", sentence)
        return HttpResponse(f"{sentence}\n", status=414, content_type="text/plain; charset=utf-8")


class _ShortWay(BaseHandler):
    """Django's own way from middleware to view, through these middlewares alone, which have no hooks but for views."""

    def __init__(self, middlewares: Sequence[str]) -> None:
        super().__init__()
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        view: Any = self._get_response  # type: ignore[attr-defined]  # unknown to the stubs
        handler: Any = convert_exception_to_response(view)
        for path in reversed(middlewares):
            middleware = import_string(path)(handler)
            if hasattr(middleware, "process_view"):
                self._view_middleware.insert(0, middleware.process_view)
            handler = convert_exception_to_response(middleware)
        self.answer: Callable[[HttpRequest], HttpResponse] = handler


class TokenMiddleware:
    """Calls of the API with a token go the short way of ``API_MIDDLEWARE``, past what serves cookies: sessions, CSRF,
    messages, zones and sign-ins.

    A cookie that comes along means nothing: where a token is sent, nothing else says who calls.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.short_way = _ShortWay(settings.API_MIDDLEWARE).answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/") and secret_in(request.META) is not None:
            return self.short_way(request)
        return self.get_response(request)


class ContentSecurityPolicyMiddleware:
    """Only our own files run or load; no inline script or style, whatever an agent's text contains."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class CompressionMiddleware(GZipMiddleware):
    """Pages, JSON and CSV go out compressed to whoever accepts that, if it saves more than it costs.

    Against BREACH, Django adds up to a hundred random bytes, and each page masks its CSRF token differently. A response
    with an ``ETag`` stays as it is, since compressing would weaken the tag, and clients send it back in ``If-Match``.
    Streams are not compressed, which would hold back what they have to say.
    """

    kinds = frozenset({"text/html", "application/json", "application/vnd.oai.openapi+json", "text/csv"})
    least_bytes = 2048

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not isinstance(response, HttpResponse) or response.has_header("ETag"):
            return response
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if kind not in self.kinds or len(response.content) < self.least_bytes:
            return response
        return super().process_response(request, response)


class ReaderZoneMiddleware:
    """Pages, reports and the admin show times, and read them, in the zone of their reader.

    The API does not: it says where a time is. ``SessionMiddleware`` has answers vary by cookie, on which the zone
    depends, since whose zone it is was read from the session.
    """

    #: What needs no database to answer must not look for a profile.
    apart = ("/api/", *doors.PATHS)

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        finally:
            # The thread answers others next.
            timezone.deactivate()

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if not request.path.startswith(self.apart):
            timezone.activate(zone_of(request))
