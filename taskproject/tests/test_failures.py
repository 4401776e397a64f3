"""What callers see of a bug: a problem under /api/, a page elsewhere, and nothing about its cause."""

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
