"""The log: one line for each request with its ids, and never a secret, whatever a caller sends."""

import io
import json
import logging

import pytest
from django.http import HttpResponse
from django.test import Client

from taskproject import logs
from taskproject.http.notes import begin_notes, current_notes
from taskproject.watch.recording import NotesMiddleware
from tasks.tests.api_client import client_of

SECRET = "tp_" + "s3cr3t" * 6
OTHER = "Tr0ub4dor-and-3"
FORMATTERS = [logs.Plain(), logs.Json()]


@pytest.fixture
def written():
    """What is logged, as ``LOG_FORMAT=json`` writes it: ``written()`` returns the lines as objects."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Json())
    handler.addFilter(logs.RoutesNotPaths())
    root, request = logging.getLogger(), logging.getLogger("taskproject.request")
    before = request.level
    root.addHandler(handler)
    request.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    request.setLevel(before)


def one(written, **wanted):
    [line] = [line for line in written() if all(line.get(name) == value for name, value in wanted.items())]
    return line


@pytest.mark.django_db
def test_request_of_an_agent_is_one_line_with_its_ids(written, cast, new_task):
    atlas = client_of(cast.atlas.user)
    answer = atlas.post(f"/api/v1/tasks/{new_task().ref}/claim", {}, headers={"X-Request-ID": "job-7.a_B"})
    run = answer.json()["id"]
    assert answer.headers["X-Request-ID"] == "job-7.a_B"
    line = one(written, request="job-7.a_B")
    assert line.pop("duration_ms") >= 0
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "taskproject.request",
        "message": "POST /api/v1/tasks/<ref>/claim 200",
        "request": "job-7.a_B",
        "method": "POST",
        "route": "/api/v1/tasks/<ref>/claim",
        "user": "atlas",
        "agent": "atlas",
        "runs": [run],
        "status": 200,
    }
    beat = atlas.post(f"/api/v1/runs/{run}/heartbeat", {})
    line = one(written, request=beat.headers["X-Request-ID"])
    assert (line["route"], line["runs"]) == ("/api/v1/runs/<id>/heartbeat", [run])
    claimed = atlas.post("/api/v1/tasks/claim_next", {})
    assert "runs" not in one(written, request=claimed.headers["X-Request-ID"])


@pytest.mark.django_db
def test_request_of_a_person_names_the_user_and_asks_the_database_nothing_for_it(
    written, cast, django_assert_num_queries
):
    browser = Client()
    browser.force_login(cast.ada.user)
    one_ = browser.get("/agents")
    assert one(written, request=one_.headers["X-Request-ID"])["user"] == "ada"
    with django_assert_num_queries(0):
        nobody = Client(headers={"Cookie": "sessionid=forged"}).get("/healthz")
    assert "user" not in one(written, request=nobody.headers["X-Request-ID"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sent",
    ["a\nb", "a\r\nX-Evil: 1", "", " ", "x" * 65, "../..", "<b>", "é", SECRET, "a b", '"', "-dash"],
)
def test_id_that_could_do_harm_is_replaced(written, sent):
    answer = Client().get("/healthz", headers={"X-Request-ID": sent})
    given = answer.headers["X-Request-ID"]
    assert given != sent
    assert len(given) == 32
    assert one(written, request=given)["status"] == 200
    assert SECRET not in str(written())


@pytest.mark.django_db
def test_no_secret_of_a_request_reaches_the_log(written, cast):
    client = Client(headers={"Authorization": f"Bearer {SECRET}", "Cookie": f"sessionid={SECRET}"})
    paths = [
        f"/api/v1/tasks?token={SECRET}",
        f"/api/v1/{SECRET}",
        f"/reset/{SECRET}/?password={SECRET}",
        f"/login/?next=//{SECRET}@evil.example",
        f"/agents/{SECRET}",
        "/api/v1/tasks\n2026-11-26 10:00:00 ERROR root: forged",
        "/%0a%0dforged",
    ]
    for path in paths:
        client.get(path)
        client.post(path, {"username": SECRET, "password": SECRET})
        client.generic(SECRET, path)
    lines = written()
    assert len(lines) >= 3 * len(paths)
    assert SECRET not in str(lines)
    assert "forged" not in str(lines)
    assert {line["logger"] for line in lines} == {"taskproject.request"}


@pytest.mark.django_db
def test_refusals_and_failures_are_logged_with_the_route_not_the_path(written, cast, monkeypatch, settings):
    assert settings.LOGGING["handlers"]["console"]["filters"] == ["routes_not_paths"]
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(cast.ada.user)
    assert browser.post("/agents/s3cr3t").status_code == 403
    assert one(written, logger="django.security.csrf")["message"].endswith("): /agents/<slug>")

    def fail(*args, **kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr("tasks.pages.agent.Agent.objects.visible_to", fail)
    assert browser.get("/agents/s3cr3t").status_code == 500
    line = one(written, logger="django.request")
    assert line["message"] == "Internal Server Error: /agents/<slug>"
    assert "RuntimeError: broken" in line["exception"]
    assert "s3cr3t" not in str(written())


HOSTILE = [
    f"Authorization: Bearer {SECRET}",
    f"GET /x?token={SECRET}&a=1",
    f"password='{SECRET}'",
    f'{{"password": "{SECRET}", "a": 1}}',
    f"Cookie: sessionid={SECRET}",
    f"csrftoken={SECRET}; path=/",
    f"postgresql://someone:{SECRET}@db/name failed",
    f"the token is {SECRET}.",
    f"METRICS_TOKEN={SECRET}",
    f"api_key: {SECRET}",
    f"Basic {SECRET}=",
]


@pytest.mark.parametrize("formatter", FORMATTERS, ids=["text", "json"])
@pytest.mark.parametrize("text", [*HOSTILE, *(text.replace(SECRET, OTHER) for text in HOSTILE if "is tp_" not in text)])
def test_what_looks_like_a_secret_is_hidden_wherever_it_is_logged(formatter, text):
    try:
        raise ValueError(text)
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
        written = formatter.format(logging.LogRecord("x", logging.ERROR, "f", 1, "failed: %s", (text,), info))
    assert SECRET not in written
    assert OTHER not in written
    assert logs.HIDDEN in written


@pytest.mark.parametrize("part", ["a-", "secret-", "token ", 'token="', "://a:", "bearer "])
def test_hiding_costs_little_however_long_the_text_of_a_caller_is(part):
    """Such as the origin of a form that is refused. Of quadratic cost this would take minutes."""
    text = part * 20_000
    assert logs.without_secrets(text).startswith(part[:3])


@pytest.mark.parametrize("text", ["3 tokens were made", "The password was changed.", "tp_ is the prefix"])
def test_words_alone_are_not_hidden(text):
    assert logs.without_secrets(text) == text


FORGED = "2026-11-26 10:00:00,000 CRITICAL root: forged"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028", "\x85", "\x1b[2K", "\x00\n", "\u202e"])
def test_no_text_forges_a_line(end):
    try:
        raise ValueError(f"a{end}{FORGED}")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "f", 1, "bad %s", (f"a{end}{FORGED}",), (ValueError, error, error.__traceback__)
        )
    plain, as_json = (formatter.format(record) for formatter in FORMATTERS)
    assert not any(line.startswith("2026-11-26 10:00") for line in plain.splitlines())
    assert "\x1b" not in plain
    assert len(as_json.splitlines()) == 1
    assert json.loads(as_json)["message"].startswith("bad a")


def test_broken_text_is_written_all_the_same():
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "lone \ud800 and %s", ("\udfff",), None)
    for formatter in FORMATTERS:
        formatter.format(record).encode()


def test_every_line_logged_during_a_request_carries_its_id(rf, written):
    def view(request):
        logging.getLogger("anything").warning("Something happened.")
        return HttpResponse("ok")

    answer = NotesMiddleware(view)(rf.get("/", headers={"X-Request-ID": "abc"}))
    assert answer.headers["X-Request-ID"] == "abc"
    assert one(written, logger="anything")["request"] == "abc"
    assert current_notes.get() is None
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "hello", (), None)
    record.notes = begin_notes("GET", "abc")
    assert logs.Plain().format(record).endswith("WARNING x: hello [request abc]")
