"""/healthz, /readyz and /metrics: what they say, to whom, and that they answer while the database does not."""

import asyncio
import json
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.conf import settings as site
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from messaging.models import FollowerCursor
from messaging.notifications import making as notifications
from taskproject import asgi, wsgi
from taskproject.tests.asgi_client import talk
from taskproject.watch import doors, facts, metrics, readiness, watcher
from tasks import engine
from tasks.actions import claims, runs
from tasks.models import EngineState, Event
from tasks.tests.api_client import client_of

TOKEN = "m" * 32
LOCAL = {"host": "localhost:8000"}


def scope_of(path, *, client=("127.0.0.1", 5000), method="GET", **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in (LOCAL | headers).items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "headers": named,
        "client": client,
    }


def ask(path, **kwargs):
    """(status, body) from the ASGI application."""
    start, body = asyncio.run(talk(asgi.application, scope_of(path, **kwargs)))
    return start["status"], body["body"].decode()


def samples(text):
    """{(name, labels): value}"""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def reading():
    """Put a reading in place, so that no thread is started."""
    asked = watcher.watcher.latest

    def put(value):
        watcher.watcher.latest = lambda: value

    yield put
    watcher.watcher.latest = asked


def now_read(**vitals):
    vitals = {"engine_silence": 0.5, "follower_lags": {"notifications": 0.0}} | vitals
    return watcher.Reading(watcher.time.monotonic(), facts.Vitals(**vitals), facts.Work(ready=3, leases_lost=2))


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_health_is_answered_without_database_host_name_or_thread(path, monkeypatch):
    monkeypatch.setattr(asgi.threaded_wsgi.pool, "submit", lambda job: pytest.fail("a thread was asked for"))
    assert ask(path, host="10.0.0.7") == (200, '{"alive":true}')


def test_ready_names_what_is_not(reading):
    reading(now_read())
    status, body = ask("/readyz")
    assert status == 200
    assert json.loads(body)["not_ready"] == []
    for failing, value in {
        "engine": now_read(engine_silence=16.0),
        "followers": now_read(follower_lags={"notifications": 31.0}),
        "stream": now_read(stream_lag=11.0),
        "migrations": now_read(missing_migrations=("tasks.0001_initial",)),
        "database": None,
    }.items():
        reading(value)
        status, body = ask("/readyz") if value else (doors.answer("/readyz", None).status, "")
        assert status == 503
        assert failing in (json.loads(body or doors.answer("/readyz", None).body)["not_ready"])
    reading(now_read(engine_silence=None))
    assert "No engine has run yet" in ask("/readyz")[1]


def test_ready_while_the_database_hangs_says_so_and_waits_for_nothing(monkeypatch):
    may_answer, hangs = threading.Event(), threading.Event()

    def hang(self):
        hangs.set()
        may_answer.wait(60)
        raise OperationalError("could not connect to db.internal as secret_user")

    own = watcher.Watcher()
    monkeypatch.setattr(watcher.Reader, "read", hang)
    monkeypatch.setattr(watcher, "READ_SECONDS", 0)
    monkeypatch.setattr(doors, "watcher", own)
    monkeypatch.setattr(doors, "PATIENCE_SECONDS", 0.1)
    try:
        status, body = ask("/readyz")
        assert hangs.wait(60)
        assert ask("/healthz")[0] == 200
        up = samples(ask("/metrics")[1])[("taskproject_database_up",)]
    finally:
        may_answer.set()
        own._asked_at = -watcher.LINGER_SECONDS
        own._thread.join(60)
    assert (status, up) == (503, 0.0)
    assert json.loads(body)["not_ready"] == ["database"]
    assert "secret" not in body
    assert "internal" not in body


def test_old_reading_counts_as_no_answer(monkeypatch):
    reading = now_read()
    monkeypatch.setattr(readiness.time, "monotonic", lambda: reading.at + readiness.FRESH_SECONDS + 1)
    assert readiness.answer_of(reading)[1]["not_ready"] == ["database"]


@pytest.mark.django_db
def test_ready_and_metrics_read_the_real_site(cast, new_task, let_lease_end):
    new_task()
    new_task(on_hold=True)
    new_task(start_after=timezone.now() + timedelta(days=1))
    claims.claim_task(actor=cast.atlas.user, task=new_task())
    let_lease_end(claims.claim_task(actor=cast.atlas.user, task=new_task()))
    engine.tick()
    answer = Client().get("/readyz")
    assert answer.status_code == 200, answer.content
    counted = samples(Client().get("/metrics", headers={"Host": "localhost"}).content.decode())
    assert counted[("taskproject_tasks", ("state", "ready"))] == 1
    assert counted[("taskproject_tasks", ("state", "running"))] == 1
    assert counted[("taskproject_tasks", ("state", "stalled"))] == 0
    assert counted[("taskproject_leases_lost_total",)] == 1
    assert counted[("taskproject_follower_lag_seconds", ("follower", "notifications"))] == 0
    EngineState.objects.update(last_tick_at=timezone.now() - timedelta(minutes=5))
    new_task(assignees=[cast.hugo])
    Event.objects.update(at=timezone.now() - timedelta(minutes=2))
    FollowerCursor.objects.update_or_create(
        name=notifications.follower.name, defaults={"event_id": 0, "moved_at": timezone.now()}
    )
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["not_ready"] == ["engine", "followers"]


@pytest.mark.django_db
def test_missing_migration_is_not_ready(monkeypatch):
    monkeypatch.setattr(facts, "missing_migrations", lambda: ["tasks.0099_more"])
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["not_ready"]) == (503, ["migrations"])


@pytest.mark.django_db
def test_facts_cost_the_same_whatever_is_stored(cast, new_task):
    """Every query on a large table goes by an index, so none grows with it."""
    new_task()
    engine.tick()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        watcher.Reader().read()
    read = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    assert len(read) <= 20
    counting = [sql for sql in read if "COUNT(" in sql and "tasks_task" in sql]
    assert counting
    assert all(f"LIMIT {facts.LOOKED_AT}" in sql for sql in counting)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for sql in read:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                plan = " · ".join(row[3] for row in cursor.fetchall())
                assert "SCAN tasks_task" not in plan.replace("SCAN tasks_task USING", ""), (sql, plan)
                assert "SCAN tasks_run" not in plan.replace("SCAN tasks_run USING", ""), (sql, plan)


@pytest.mark.parametrize(
    ("status", "client", "headers"),
    [
        (200, ("127.0.0.1", 5000), {}),
        (200, ("::1", 5000), {"host": "[::1]:8000"}),
        (200, ("::ffff:127.0.0.1", 5000), {}),
        (200, None, {}),  # a Unix socket
        (403, ("10.0.0.7", 5000), {}),
        (403, ("203.0.113.9", 5000), {"host": "127.0.0.1"}),
        (403, ("127.0.0.1", 5000), {"x_forwarded_for": "127.0.0.1"}),
        (403, ("127.0.0.1", 5000), {"x_forwarded_for": ""}),
        (403, ("127.0.0.1", 5000), {"x_forwarded_proto": "https"}),
        (403, ("127.0.0.1", 5000), {"x_real_ip": "127.0.0.1"}),
        (403, ("127.0.0.1", 5000), {"forwarded": "for=127.0.0.1"}),
        (403, ("127.0.0.1", 5000), {"via": "1.1 proxy"}),
        (403, ("127.0.0.1", 5000), {"host": "tasks.example.org"}),
        (403, None, {"host": "tasks.example.org", "x_forwarded_for": "203.0.113.9"}),
        (403, ("127.0.0.1", 5000), {"host": "localhost.evil.example"}),
        (403, ("127.0.0.1", 5000), {"host": "[::1"}),
        (403, ("127.0.0.1", 5000), {"authorization": f"Bearer {TOKEN}", "x_forwarded_for": "203.0.113.9"}),
    ],
)
def test_metrics_without_a_token_are_for_direct_requests_from_this_machine(reading, status, client, headers):
    reading(now_read())
    got, body = ask("/metrics", client=client, **headers)
    assert got == status
    assert ("taskproject_tasks" in body) is (status == 200)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"authorization": f"Bearer {TOKEN}"}),
        (200, {"authorization": f"bearer {TOKEN}", "x_forwarded_for": "203.0.113.9", "host": "tasks.example.org"}),
        (401, {}),
        (401, {"authorization": TOKEN}),
        (401, {"authorization": f"Bearer {TOKEN}x"}),
        (401, {"authorization": f"Bearer {TOKEN[:-1]}"}),
        (401, {"authorization": "Bearer "}),
        (401, {"authorization": "Bearer é€"}),
        (401, {"authorization": f"Basic {TOKEN}"}),
        (401, {"x_metrics_token": TOKEN}),
    ],
)
def test_metrics_with_a_token_are_for_whoever_has_it(reading, settings, status, headers):
    settings.METRICS_TOKEN = TOKEN
    reading(now_read())
    scope = scope_of("/metrics", client=("203.0.113.9", 5000))
    scope["headers"] += [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope["query_string"] = f"token={TOKEN}".encode()
    start, body = asyncio.run(talk(asgi.application, scope))
    assert start["status"] == status
    assert TOKEN.encode() not in body["body"]


def test_only_reading_is_possible(reading):
    reading(now_read())
    for path in doors.PATHS:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert ask(path, method=method)[0] == 405
        assert ask(path, method="HEAD") == (200, "")


def test_wsgi_answers_the_same(reading, monkeypatch):
    monkeypatch.setattr(wsgi.pulse, "ensure", lambda: None)
    reading(now_read())

    def call(path, **environ):
        started = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
        } | environ
        body = b"".join(wsgi.application(environ, lambda status, headers: started.append(status)))
        return started[0], body

    assert call("/healthz") == ("200 OK", b'{"alive":true}')
    assert call("/readyz/")[0] == "200 OK"
    assert b"taskproject_tasks" in call("/metrics")[1]
    assert call("/metrics", HTTP_X_FORWARDED_FOR="127.0.0.1")[0] == "403 Forbidden"


@pytest.mark.django_db
def test_requests_are_counted_by_template_and_calls_of_agents_are_timed(cast, new_task):
    def counted(name, **labels):
        return metrics._own.get_sample_value(f"taskproject_{name}", labels) or 0.0

    atlas = client_of(cast.atlas.user)
    claim = {"method": "POST", "route": "/api/v1/tasks/<ref>/claim", "status": "200"}
    before = counted("requests_total", **claim), counted("call_seconds_count", call="claim")
    beats = counted("call_seconds_count", call="heartbeat")
    run = atlas.post(f"/api/v1/tasks/{new_task().ref}/claim", {}).json()
    assert atlas.post(f"/api/v1/runs/{run['id']}/heartbeat", {}).status_code == 200
    assert atlas.generic("BREW", "/api/v1/nothing/at/all").status_code in (404, 405)
    assert counted("requests_total", **claim) == before[0] + 1
    assert counted("call_seconds_count", call="claim") == before[1] + 1
    assert counted("call_seconds_count", call="heartbeat") == beats + 1
    runs.release_run(actor=cast.atlas.user, run_id=run["id"])
    text = metrics.render(None).decode()
    assert "BREW" not in text
    assert run["id"] not in text
    assert "OPS-1" not in text
    assert 'method="other"' in text


PROCESS = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
import django
django.setup()
from taskproject.watch import metrics
metrics.count_request("GET", "/readyz", 200)
metrics.STREAMS.set(5)
if "render" in sys.argv:
    print(metrics.render(None).decode())
"""


def test_any_of_several_processes_answers_for_all_of_them(tmp_path):
    environment = {
        "PYTHONPATH": ":".join(filter(None, sys.path)),
        "METRICS_DIR": str(tmp_path / "counted"),
        "DATA_DIR": str(tmp_path),
    }

    def process(*args):
        command = [sys.executable, "-c", PROCESS, *args]
        return subprocess.run(
            command, env=environment, cwd=site.BASE_DIR, capture_output=True, text=True, check=True
        ).stdout

    process()
    counted = samples(process("render"))
    assert counted[("taskproject_requests_total", ("method", "GET"), ("route", "/readyz"), ("status", "200"))] == 2
    assert counted[("taskproject_sockets_open",)] == 0, "the first process has ended, and with it its sockets"
