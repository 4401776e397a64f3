"""What callers see of a bug: a problem under /api/, a page elsewhere, and nothing about its cause."""

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from tasks.api.me import MeView


def fail(*args, **kwargs):
    raise RuntimeError("secret cause")


def test_defect_in_the_api_is_answered_as_a_problem(monkeypatch, api):
    monkeypatch.setattr(MeView, "get", fail)
    api.atlas.client.raise_request_exception = False
    answer = api.atlas.get("/me")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer["Content-Type"] == "application/problem+json"
    assert b"secret cause" not in answer.content


def test_defect_of_a_page_is_answered_as_a_page(db, monkeypatch):
    monkeypatch.setattr("django.contrib.auth.views.LoginView.get", fail)
    answer = Client(raise_request_exception=False).get("/login/")
    assert answer.status_code == 500
    assert answer["Content-Type"].startswith("text/html")
    assert b"secret cause" not in answer.content


def be_away(*args, **kwargs):
    raise OperationalError("secret address")


@pytest.mark.parametrize(
    ("caller", "target"),
    [
        ("atlas", "tasks.api.me.MeView.get"),
        ("atlas", "django.middleware.common.CommonMiddleware.process_request"),
        ("root", "django.contrib.sessions.middleware.SessionMiddleware.process_request"),
    ],
)
def test_api_says_that_the_database_is_away(monkeypatch, api, caller, target):
    """In a view, and before one is reached: with a token, and with a session."""
    monkeypatch.setattr(target, be_away)
    calls = getattr(api, caller)
    calls.client.raise_request_exception = False
    answer = calls.get("/me")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Retry-After"] == "3"
    assert b"secret address" not in answer.content


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_page_says_that_the_database_is_away(db, monkeypatch, error):
    def fail_so(*args, **kwargs):
        raise error("secret address")

    monkeypatch.setattr("django.contrib.auth.views.LoginView.get", fail_so)
    answer = Client(raise_request_exception=False).get("/login/")
    assert answer.status_code == 503
    assert b"The database is down or too busy." in answer.content
    assert b"secret address" not in answer.content
