"""SQLite: while another process holds the write lock, every read is answered, and every write says when to try again.

The time that a writer may wait for the lock is next to nothing here, so that whatever needs it fails.
"""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from taskproject.outages import begin_request, end_request
from tasks import clock
from tasks.models import Agent, AgentToken, Task
from tasks.tests.test_authorisation_matrix import MATRIX, filled, page_paths, scene  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: it has one writer"),
    pytest.mark.django_db(transaction=True),
]

WAIT_SECONDS = 0.01
#: A POST only because its question does not fit into an address; it stores nothing but the answer to a key.
READ_BY_POST = "/reports/run"


@pytest.fixture
def lock(monkeypatch) -> Iterator[sqlite3.Connection]:
    """``lock.execute("BEGIN IMMEDIATE")``: another writer takes the lock, and will not let go."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", WAIT_SECONDS)
    # No engine runs here; reading all pages may take longer than it may be silent.
    monkeypatch.setattr("taskproject.watch.facts.ENGINE_SILENT_AFTER_SECONDS", 3600.0)
    monkeypatch.setattr("taskproject.watch.facts.LATE_AFTER_SECONDS", 3600.0)
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0, isolation_level=None)
    yield other
    other.close()
    connection.close()


def let_nobody_be_seen_lately() -> None:
    long_ago = clock.now() - timedelta(hours=1)
    AgentToken.objects.update(last_used_at=long_ago)
    Agent.objects.update(last_seen_at=long_ago)


def read(client: Client, path: str) -> int:
    answer = client.get(path)
    if answer.streaming:
        list(answer.streaming_content)
    return answer.status_code


def test_every_read_of_the_api_is_answered(scene, lock):  # noqa: F811
    paths = [f"/api/v1{filled(row[2], scene.names)}" for row in MATRIX if row[1] == "get"]
    callers = {name: scene.clients[name] for name in ("nobody", "atlas", "ada", "root")}
    for client in callers.values():
        client.raise_request_exception = False
    before = {(path, name): read(client, path) for path in paths for name, client in callers.items()}
    let_nobody_be_seen_lately()
    lock.execute("BEGIN IMMEDIATE")
    assert {(path, name): read(client, path) for path in paths for name, client in callers.items()} == before


@pytest.mark.long
def test_every_page_and_admin_page_is_answered(scene, cast, lock):  # noqa: F811
    browsers = {"ada": Client(raise_request_exception=False), "root": Client(raise_request_exception=False)}
    browsers["ada"].force_login(cast.ada.user)
    browsers["root"].force_login(cast.root)
    paths = page_paths(scene, cast).values()
    before = {(path, name): read(browser, path) for path in paths for name, browser in browsers.items()}
    lock.execute("BEGIN IMMEDIATE")
    assert {(path, name): read(browser, path) for path in paths for name, browser in browsers.items()} == before


def test_page_with_an_outdated_session_is_answered(cast, lock):
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.ada.user)
    cast.ada.user.set_password("another")
    cast.ada.user.save()
    lock.execute("BEGIN IMMEDIATE")
    assert browser.get("/").status_code == 302
    lock.execute("ROLLBACK")
    assert Session.objects.count() == 1
    assert browser.get("/").status_code == 302, "it stays refused"


def test_logout_that_cannot_end_the_session_says_so(cast, lock):
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.ada.user)
    lock.execute("BEGIN IMMEDIATE")
    assert browser.post("/logout/").status_code == 503
    lock.execute("ROLLBACK")
    assert browser.get("/").status_code == 200


def test_every_write_of_the_api_says_when_to_try_again(scene, lock):  # noqa: F811
    """Each as somebody whom the matrix lets write, with an Idempotency-Key and without."""
    lock.execute("BEGIN IMMEDIATE")
    wrong = []
    for number, (_, method, path, body, expected) in enumerate(MATRIX):
        writers = [role for role, status in zip(scene.clients, expected.split(), strict=True) if status < "300"]
        if method == "get" or not writers:
            continue
        client = scene.clients[writers[0]]
        client.raise_request_exception = False
        for headers in ({}, {"HTTP_IDEMPOTENCY_KEY": f"key-{number}"}):
            arguments = () if body is None else (filled(body, scene.names),)
            answer = getattr(client, method)(f"/api/v1{filled(path, scene.names)}", *arguments, **headers)
            if path.startswith(READ_BY_POST) and not headers:
                assert answer.status_code == 200, "Nothing is stored, so nothing waits."
                continue
            said = (answer.status_code, answer.get("Retry-After"), answer.json().get("code"))
            if said != (503, "3", "unavailable"):
                wrong.append(f"{method} {path} {body} as {writers[0]}: {said}")
    assert wrong == []


def test_writes_of_pages_and_admin_say_when_to_try_again(scene, cast, lock):  # noqa: F811
    cast.root.set_password("a long enough one 7")
    cast.root.save()
    ada, root, visitor = (Client(raise_request_exception=False) for _ in range(3))
    ada.force_login(cast.ada.user)
    root.force_login(cast.root)
    task, agent = Task.objects.get(project=cast.ops, number=1).pk, f"/admin/tasks/agent/{cast.atlas.pk}/"
    user = {"username": "new", "usable_password": "true", "password1": "a long one 7", "password2": "a long one 7"}
    writes = [
        (visitor, "/login/", {"username": "root", "password": "a long enough one 7"}),
        (visitor, "/admin/login/", {"username": "root", "password": "a long enough one 7"}),
        (ada, "/tasks/OPS-1", {"verb": "cancel"}),
        (ada, "/notifications/", {"do": "read_all"}),
        (ada, f"/admin/tasks/task/{task}/verb/cancel/", {}),
        (root, "/admin/auth/user/add/", user),
        (root, "/admin/tasks/task/bulk/cancel/", {"ids": str(task)}),
        (root, f"{agent}tokens/", {"name": "another"}),
    ]
    lock.execute("BEGIN IMMEDIATE")
    answers = {path: client.post(path, data) for client, path, data in writes}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert {answer["Retry-After"] for answer in answers.values()} == {"3"}


def test_request_waits_less_than_commands_do_and_a_read_hardly_at_all():
    long = connection._timeout
    assert connection._patience == long >= 30
    begin_request({"REQUEST_METHOD": "POST"})
    assert connection._patience == 10
    begin_request({"REQUEST_METHOD": "GET"})
    assert connection._patience < 1
    end_request()
    assert connection._patience == long
