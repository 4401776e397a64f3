"""Every error of the API as ``application/problem+json`` (RFC 9457) with a stable ``code``."""

from typing import Any

from django.core.exceptions import PermissionDenied, TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from taskproject.api.paths import nearest_path
from taskproject.api.renderers import JSONRenderer
from taskproject.errors import DomainError, codes, shortened
from taskproject.outages import READING, is_outage, may_have_effect, report

CONTENT_TYPE = "application/problem+json"
#: The answers if the database is down, or ended a wait for a lock.
NOTHING_DONE = "The database is down or too busy; nothing was done, try again in a few seconds."
UNKNOWN = "The database went away before it confirmed, so this may have been done, wholly or in part; "
LOOK_FIRST = "look before you send it again."
SAME_KEY = "send it again with the same Idempotency-Key, and it takes effect once."
RETRY_AFTER_SECONDS = 3
#: A problem lists this many sentences of this many characters.
MOST_ERRORS, LONGEST_SENTENCE = 50, 1_000

#: The codes that HTTP itself requires, with status and title; our own errors carry theirs.
HTTP_CODES: dict[str, tuple[int, str]] = {
    "idempotency_key_reused": (422, "The idempotency key belongs to another request"),
    "request_in_progress": (409, "The first request is still running"),
    "internal_error": (500, "Something went wrong here"),
    "method_not_allowed": (405, "Method not allowed"),
    "not_acceptable": (406, "Not acceptable"),
    "request_timeout": (408, "The request arrived too slowly"),
    "body_too_large": (413, "The body is too large"),
    "address_too_long": (414, "The address is too long"),
    "head_too_large": (431, "The request line or headers are too large"),
    "unavailable": (503, "Temporarily unavailable"),
    "outcome_unknown": (503, "Temporarily unavailable, and perhaps done"),
    "unsupported_media_type": (415, "Unsupported media type"),
}


def all_codes() -> dict[str, tuple[int, str]]:
    """Every code with its HTTP status and title; the reference that the docs page shows."""
    return HTTP_CODES | codes()


def problem(code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """The members of one problem; ``extra`` holds what helps the caller proceed.

    ``status`` is always the HTTP status, as in RFC 9457; the status of a task is ``task_status``.
    """
    status, title = all_codes()[code]
    kind = f"/api/v1/docs#problem-{code}"
    if "errors" in extra:
        extra["errors"] = _bounded(extra["errors"])
    detail = shortened(detail, LONGEST_SENTENCE)
    return {"type": kind, "title": title, "status": status, "detail": detail, "code": code, **extra}


def _bounded(errors: dict[str, list[str]]) -> dict[str, list[str]]:
    """The first ``MOST_ERRORS`` sentences, so that a hostile request costs no long answer; the others are counted."""
    kept: dict[str, list[str]] = {}
    room, left = MOST_ERRORS, 0
    for field, texts in errors.items():
        shown = [shortened(text, LONGEST_SENTENCE) for text in texts[:room]]
        left += len(texts) - len(shown)
        room -= len(shown)
        if shown:
            kept[shortened(field)] = shown
    if left:
        kept.setdefault("body", []).append(f"There are {left:,} more errors.")
    return kept


def problem_of(error: DomainError) -> dict[str, Any]:
    return problem(error.code, error.detail, **error.data)


def problem_of_outage(request: HttpRequest | Request | None = None) -> dict[str, Any]:
    """The database is away or too busy. None stands for a request that only reads."""
    code, detail = "unavailable", NOTHING_DONE
    if request is not None and request.method not in READING and may_have_effect():
        code = "outcome_unknown"
        detail = UNKNOWN + (SAME_KEY if "Idempotency-Key" in request.headers else LOOK_FIRST)
    return problem(code, detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def problem_response(code: str, detail: str, **extra: Any) -> HttpResponse:
    """For middleware, which has no DRF renderer."""
    return response_of(problem(code, detail, **extra))


def response_of(body: dict[str, Any]) -> HttpResponse:
    response = HttpResponse(JSONRenderer().render(body), status=body["status"], content_type=CONTENT_TYPE)
    if wait := body.get("retry_after_seconds"):
        response.headers["Retry-After"] = str(wait)
    return response


def _sentences(detail: Any) -> list[str]:
    """The sentences in one field's part of DRF's error detail, at any depth."""
    if isinstance(detail, list):
        return [text for item in detail for text in _sentences(item)]
    if isinstance(detail, dict):
        return [f"{name}: {text}" for name, item in detail.items() for text in _sentences(item)]
    return [str(detail)]


def _of_validation_error(error: exceptions.ValidationError) -> dict[str, Any]:
    detail = error.detail
    errors = dict(detail) if isinstance(detail, dict) else {"body": detail}
    listed = {("body" if name == "non_field_errors" else name): _sentences(texts) for name, texts in errors.items()}
    listed = {name: texts for name, texts in listed.items() if texts}
    name, texts = next(iter(listed.items()), ("body", ["It is invalid."]))
    return problem("validation_error", f"{name}: {texts[0]}", errors=listed)


def _of_api_exception(error: exceptions.APIException, view: APIView | None) -> dict[str, Any]:
    detail = str(error.detail)
    match error:
        case exceptions.NotAuthenticated():
            return problem("not_authenticated", "Send a token: `Authorization: Bearer <token>`.")
        case exceptions.AuthenticationFailed():
            return problem("not_authenticated", detail)
        case exceptions.Throttled():
            wait = max(1, round(getattr(error, "wait", None) or 1))
            return problem("throttled", f"Too many requests; wait {wait} s.", retry_after_seconds=wait)
        case exceptions.ParseError():
            return problem("validation_error", detail, errors={"body": [detail]})
        case exceptions.MethodNotAllowed() if view is not None:
            methods = [name for name in view.allowed_methods if name not in ("HEAD", "OPTIONS")]
            return problem("method_not_allowed", f"This path accepts only {' and '.join(methods)}.", methods=methods)
        case exceptions.UnsupportedMediaType():
            return problem("unsupported_media_type", "Send JSON, with `Content-Type: application/json`.")
    return problem(error.default_code, detail)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Translate what a view raised; None lets a bug surface as a 500 with its traceback in the log."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing here that you may see.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, TooManyFieldsSent):
        error = exceptions.ParseError("There are too many parameters; leave out those that the path does not have.")
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        body = problem_of(error)
    elif isinstance(error, exceptions.ValidationError):
        body = _of_validation_error(error)
    elif is_outage(error):
        report.add(error)
        body = problem_of_outage(context.get("request"))
    elif isinstance(error, exceptions.APIException):
        body = _of_api_exception(error, context.get("view"))
        if challenge := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
    else:
        return None
    if wait := body.get("retry_after_seconds"):
        headers["Retry-After"] = str(wait)
    response = Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)
    if is_outage(error):
        # Django would log each as an error; `report` has it.
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response


class UnknownPath(APIView):
    """Answers every unknown path with a problem."""

    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        given = request.path_info.partition("/api/v1/")[2]
        near = nearest_path(given)
        if near == given.strip("/") != "":
            return problem_response(
                "not_found", "Nothing is at this path: what stands for an id or a name in it is none; see /api/v1/docs."
            )
        hint = f"did you mean /api/v1/{near}? All are listed at" if near else "see"
        return problem_response("not_found", f"The API has no such path; {hint} /api/v1/docs.")
