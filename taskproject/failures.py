"""The response when a bug or an outage ends a request: a problem for API callers, a page for people."""

import sys

from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.defaults import server_error as server_error_page

from taskproject.api.problems import problem_of_outage, problem_response, response_of
from taskproject.outages import is_outage


def server_error(request: HttpRequest) -> HttpResponse:
    """Reveals no cause, which is in the log, except that the database is down or too busy."""
    if is_outage(sys.exc_info()[1]):
        body = problem_of_outage(request)
        if request.path.startswith("/api/"):
            return response_of(body)
        page = loader.get_template("503.html").render({"outcome_unknown": body["code"] == "outcome_unknown"})
        return HttpResponse(page, status=503, headers={"Retry-After": str(body["retry_after_seconds"])})
    if request.path.startswith("/api/"):
        return problem_response(
            "internal_error",
            "Something went wrong on the server; try again, and tell its administrator if it persists.",
        )
    return server_error_page(request)
