"""The answer where a defect of ours ends a request: a problem for callers of the API, a page for people."""

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error as server_error_page

from taskproject.api.problems import problem_response


def server_error(request: HttpRequest) -> HttpResponse:
    """Says nothing of the cause: that is in the log."""
    if request.path.startswith("/api/"):
        return problem_response(
            "internal_error", "Something went wrong here; try again, and tell who runs this server if it stays so."
        )
    return server_error_page(request)
