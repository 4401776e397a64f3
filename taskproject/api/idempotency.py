"""Idempotency-Key: the same key, caller, path and body get the same answer for 24 hours, and one effect.

Follows the IETF draft *The Idempotency-Key HTTP Header Field*. The answer is stored in the transaction of the effect,
so neither ever exists without the other.
"""

import hashlib
from collections.abc import Callable
from typing import Any, cast

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from taskproject.api.problems import problem_response
from taskproject.api.renderers import JSONRenderer
from taskproject.api.waiting import WAITING
from taskproject.errors import DomainError, TooManyRequests
from taskproject.models import IdempotencyKey, IdempotencyKeyQuerySet
from taskproject.reach import reach_of

HEADER = "Idempotency-Key"
KEY_LENGTH = 200
#: Answers about the request as a whole, not about its effect: a retry may well succeed.
NOT_STORED = (401, 413, 429)
#: Headers that belong to the answer; the others are generated again.
STORED_HEADERS = ("Content-Type", "ETag", "Location", "Retry-After")

#: Members of an answer that are never stored.
SHOWN_ONCE = ("token", "secret")

View = Callable[..., HttpResponse]


class IdempotencyMiddleware:
    """Wraps the API's POST views that carry an ``Idempotency-Key``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: View, args: Any, kwargs: Any) -> HttpResponse | None:
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST" or not request.path.startswith("/api/"):
            return None
        if not 1 <= len(key) <= KEY_LENGTH or not key.isprintable():
            text = f"Must have 1 to {KEY_LENGTH} printable characters."
            return problem_response("validation_error", f"{HEADER}: {text}", errors={HEADER: [text]})
        user = _caller(request)
        if user is None or reach_of(user).read_only:
            # The view refuses; whoever tries again with a token that may write must not get that refusal.
            return None
        # Read before anyone parses it: a body that was read as a stream cannot be read again.
        _ = request.body
        wait: Any = getattr(getattr(view, "cls", None), "wait_before_transaction", None)
        try:
            waits = wait is not None and not _stored(request, user, key).exists() and wait(request, user)
        except TooManyRequests as error:
            return problem_response(error.code, error.detail, **error.data)
        if waits:
            # Sent if the wait is cut short; otherwise the request is run again.
            kept_back = problem_response(
                "unavailable",
                "The server is about to stop; nothing was done. Try again with the same key.",
                retry_after_seconds=1,
            )
            # Django logs a 503 as an error; waiting is none.
            kept_back._has_been_logged = True  # type: ignore[attr-defined]
            return kept_back
        request.META.pop(WAITING, None)
        with transaction.atomic():
            return _answer_once(request, user, key, lambda: view(request, *args, **kwargs))


def _caller(request: HttpRequest) -> Any:
    """The authenticated user, or None if the view will refuse the request anyway."""
    authenticators = [cast(Any, kind)() for kind in api_settings.DEFAULT_AUTHENTICATION_CLASSES]
    try:
        user = Request(request, authenticators=authenticators).user
    except (APIException, DomainError):
        return None
    return user if user.is_authenticated else None


def _path(request: HttpRequest) -> str:
    return request.path.rstrip("/")[:300]


def _stored(request: HttpRequest, user: Any, key: str) -> IdempotencyKeyQuerySet:
    # By reach as well: an answer to one of the user's tokens may contain what another must not see.
    return IdempotencyKey.objects.filter(user=user, reach=reach_of(user).key, key=key, path=_path(request))


def _answer_once(request: HttpRequest, user: Any, key: str, run: Callable[[], HttpResponse]) -> HttpResponse:
    path = _path(request)
    target = f"{path}?{request.META.get('QUERY_STRING', '')}"
    digest = hashlib.sha256(target.encode() + b"\0" + request.body).hexdigest()
    if not _lock(f"{user.pk}\0{reach_of(user).key}\0{key}\0{path}"):
        return problem_response(
            "request_in_progress",
            "The first request with this key is still running; try again in a second.",
            retry_after_seconds=1,
        )
    kept = _stored(request, user, key)
    kept.outdated().delete()
    stored = kept.first()
    if stored is not None:
        if stored.body_digest != digest:
            return problem_response(
                "idempotency_key_reused", "This key was used with another body; use a new key for a new request."
            )
        answer = HttpResponse(bytes(stored.body), status=stored.status_code, headers=stored.headers)
        answer.headers["Idempotency-Replayed"] = "true"
        return answer
    response = run()
    if hasattr(response, "render"):
        response = response.render()
    if response.status_code >= 500:
        transaction.set_rollback(True)
    elif response.status_code not in NOT_STORED:
        IdempotencyKey.objects.create(
            user=user,
            reach=reach_of(user).key,
            key=key,
            path=path,
            body_digest=digest,
            status_code=response.status_code,
            headers={name: response.headers[name] for name in STORED_HEADERS if name in response.headers},
            body=_without_secrets(response),
        )
    return response


def _without_secrets(response: HttpResponse) -> bytes:
    """The answer as stored: what is shown once (``no-store``), a token or key, is null when the answer is repeated."""
    data = getattr(response, "data", None)
    if "no-store" in response.headers.get("Cache-Control", "") and isinstance(data, dict):
        return JSONRenderer().render({**data, **{name: None for name in SHOWN_ONCE if name in data}})
    return response.content


def _lock(name: str) -> bool:
    """Whether this transaction is the only one with ``name``; SQLite runs one writing transaction at a time anyway."""
    if connection.vendor != "postgresql":
        return True
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])
