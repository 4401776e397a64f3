"""A call of the API with a token passes by what serves cookies, and by nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, reverse
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from taskproject.api.negotiation import Negotiation
from taskproject.api.renderers import JSONRenderer
from tasks.actions.agents import create_token
from tasks.api.me import MeView

ANSWER_HEADERS = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "X-Frame-Options",
    "X-Request-ID",
    "Content-Length",
}


@pytest.fixture
def browser(cast: Any) -> Client:
    """Ada's, which is signed in and must show its CSRF token."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.ada.user)
    return client


@pytest.fixture
def header(cast: Any) -> dict[str, str]:
    _, secret = create_token(actor=None, agent=cast.atlas, name="test")
    return {"authorization": f"bEARER {secret}"}


def _views(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from _views(pattern.url_patterns)


def test_no_view_of_the_api_leaves_csrf_to_the_middleware() -> None:
    api = next(each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/")
    views = list(_views(api.url_patterns))  # type: ignore[union-attr]
    assert len(views) > 50
    assert [str(view.pattern) for view in views if not getattr(view.callback, "csrf_exempt", False)] == []


def test_answers_carry_the_same_headers_by_token_and_by_session(browser: Client, header: dict[str, str]) -> None:
    by_token, by_session = Client().get("/api/v1/me", headers=header), browser.get("/api/v1/me")
    assert (by_token.status_code, by_session.status_code) == (200, 200)
    assert set(by_token.headers) >= ANSWER_HEADERS
    for name in ANSWER_HEADERS - {"X-Request-ID", "Content-Length"}:
        assert by_token.headers[name] == by_session.headers[name]
    assert set(by_session.headers) - set(by_token.headers) == {"Vary"}
    assert by_session.headers["Vary"] == "Cookie"


def test_a_cookie_beside_a_token_means_nothing(browser: Client, header: dict[str, str]) -> None:
    assert browser.get("/api/v1/me").json()["agent"]["slug"] == "ada"
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get("/api/v1/me", headers=header)
    assert answer.json()["agent"]["slug"] == "atlas"
    assert not any("session" in query["sql"] for query in queries)
    assert browser.get("/api/v1/me", headers={"authorization": "Bearer tp_wrong"}).status_code == 401
    assert browser.get("/api/v1/me", headers={"authorization": "Bearer"}).status_code == 401


@pytest.mark.parametrize("other", [{}, {"authorization": "Basic YTpi"}, {"authorization": "bearerx y"}])
def test_a_session_still_needs_its_csrf_token(browser: Client, other: dict[str, str]) -> None:
    answer = browser.post("/api/v1/projects", {}, content_type="application/json", headers=other)
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_a_token_opens_no_other_path(browser: Client, header: dict[str, str]) -> None:
    for path in ("/logout/", "/admin/logout/", "/search/../api/v1/me"):
        assert browser.post(path, {}, headers=header).status_code in (403, 404)
    assert Client().get(reverse("board"), headers=header).status_code == 302


def test_what_every_call_goes_through_is_still_there(
    header: dict[str, str], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    client = Client(raise_request_exception=False, headers=header)
    assert client.get("/api/v1/me", {"x": "y" * 9_000}).json()["code"] == "address_too_long"
    assert client.get("/api/v1/me", headers={"host": "elsewhere.example"}).status_code == 400
    assert client.get("/api/v1/nothing").json()["code"] == "not_found"
    packed = client.get("/api/v1/schema", headers={"accept-encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    key = {"idempotency-key": "k1"}
    first, again = (
        client.post("/api/v1/tasks/claim_next", {}, content_type="application/json", headers=key) for _ in range(2)
    )
    assert (first.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")

    def broken(*args: Any) -> None:
        raise LookupError

    monkeypatch.setattr(MeView, "get", broken)
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert set(answer.headers) >= ANSWER_HEADERS


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/*", "text/html, */*;q=0.1", "application/json; indent=2"]
)
def test_what_is_accepted_is_read_as_by_drf(accept: str | None) -> None:
    request = Request(RequestFactory().get("/", headers={"accept": accept} if accept else {}))
    renderers = [JSONRenderer()]
    ours = Negotiation().select_renderer(request, renderers)
    assert ours == DefaultContentNegotiation().select_renderer(request, renderers)


def test_what_cannot_be_given_is_refused(header: dict[str, str]) -> None:
    client = Client(headers=header)
    assert client.get("/api/v1/me", headers={"accept": "text/html"}).json()["code"] == "not_acceptable"
    assert client.get("/api/v1/me?format=html").status_code == 404
