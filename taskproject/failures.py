"""The response when a bug ends a request: a problem for API callers, a page for people."""

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error as server_error_page

from taskproject.api.problems import problem_response


def server_error(request: HttpRequest) -> HttpResponse:
    """Says nothing about the cause, which is in the log."""
    if request.path.startswith("/api/"):
        return problem_response(
            "internal_error",
            "Something went wrong on the server; try again, and tell its administrator if it persists.",
        )
    return server_error_page(request)
