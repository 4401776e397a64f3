"""The response when a bug ends a request: a problem for API callers, a page for people."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.defaults import server_error as server_error_page

from taskproject.api.problems import BUSY, RETRY_AFTER_SECONDS, problem_response


def server_error(request: HttpRequest) -> HttpResponse:
    """Reveals no cause, which is in the log, except that the database is down or too busy."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        if request.path.startswith("/api/"):
            return problem_response("unavailable", BUSY, retry_after_seconds=RETRY_AFTER_SECONDS)
        page = loader.get_template("503.html").render()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    if request.path.startswith("/api/"):
        return problem_response(
            "internal_error",
            "Something went wrong on the server; try again, and tell its administrator if it persists.",
        )
    return server_error_page(request)
