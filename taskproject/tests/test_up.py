"""``manage.py up`` as a process: first and second start, what it refuses, and that nothing outlives it."""

import json
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from taskproject.tests.workers import made_once
from tasks.tests.server_process import said_by_itself

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parent.parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
DATABASE = "taskproject.sqlite3"
PATIENCE = 90


def environment(folder, **extra):
    own = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "TIME_ZONE", "DJANGO_SETTINGS_MODULE")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return kept | {"DATA_DIR": str(folder), "PYTHONWARNINGS": "default"} | extra


def refused(folder, *args, **extra):
    """Run ``up`` when it must refuse: (exit code, standard error)."""
    ended = subprocess.run(
        [*MANAGE, "up", *args],
        env=environment(folder, **extra),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def children_of(pid):
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return [child for child, parent in pairs if parent == pid]


def alive(pid):
    """Whether the process still runs; a zombie does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def wait_for(condition, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)
    return value


def last_mark(folder):
    """When a server last noted in ``folder`` that it can answer; now, where none ever did."""
    marks = rows(folder, "SELECT answering_until FROM tasks_serverstate") if (folder / DATABASE).exists() else []
    return datetime.fromisoformat(marks[0][0]).replace(tzinfo=UTC) if marks else datetime.now(UTC)


class Up:
    """A running ``up``; ``greeting`` is what it printed when it was ready."""

    def __init__(self, folder, *args, **extra):
        self.errors = folder / "stderr"
        self.away_since = last_mark(folder)
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*MANAGE, "up", "--port", "0", "--json", *args],
                env=environment(folder, **extra),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
            )
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.greeting = json.loads(line)
        self.url = self.greeting["url"]

    def end(self, number=signal.SIGINT):
        """Stop it: (exit code, standard error as of ``said_by_itself``)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        away = (datetime.now(UTC) - self.away_since).total_seconds()
        return code, said_by_itself(self.errors, within=away)

    def api(self, method, path, token, **kwargs):
        answer = httpx.request(
            method, f"{self.url}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=40, **kwargs
        )
        return answer.json()


class Uvicorn(Up):
    """The application under plain uvicorn, as in production."""

    def __init__(self, folder):
        self.errors = folder / "stderr"
        self.away_since = last_mark(folder)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        grace = ["--timeout-graceful-shutdown", "15", "--log-level", "warning"]
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "taskproject.asgi:application", "--port", str(port), *grace],
                env=environment(folder),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
            )
        wait_for(self.answers)

    def answers(self):
        try:
            return httpx.get(f"{self.url}/login/").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A folder in which ``up`` was started for the first time and stopped, and what it printed."""

    def start(folder):
        up = Up(folder, "--agents", "2")
        workers = children_of(up.process.pid)
        claimed = subprocess.run(
            [*shlex.split(up.greeting["claim"]), "-s"], capture_output=True, text=True, timeout=PATIENCE
        )
        page = httpx.get(f"{up.url}/admin/login/")
        return {
            "greeting": up.greeting,
            "workers": workers,
            "claimed": claimed.stdout,
            "login_page": page.status_code,
            "ended": up.end(signal.SIGINT),
        }

    folder, first = made_once(tmp_path_factory, "first", start)
    return folder, SimpleNamespace(**first)


@pytest.fixture
def folder(started, tmp_path):
    """A copy of the folder of a first start."""
    copy = tmp_path / "data"
    shutil.copytree(started[0], copy)
    return copy


def rows(folder, query):
    with sqlite3.connect(folder / DATABASE) as connection:
        result = connection.execute(query).fetchall()
    connection.close()
    return result


def test_first_start_makes_secret_login_demo_and_a_claim_that_works(started):
    folder, up = started
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert up.greeting["login"] == "admin"
    assert len(up.greeting["password"]) >= 12
    run = json.loads(up.claimed)["runs"][0]
    assert run["task"]["assignees"] == ["guest"]
    assert up.login_page == 200
    assert rows(folder, "SELECT count(*) FROM tasks_task")[0][0] >= 15
    assert rows(folder, "SELECT username, is_superuser FROM auth_user WHERE is_superuser") == [("admin", 1)]


def test_interrupt_ends_server_and_agents_without_a_word(started):
    _, up = started
    assert up.ended == [0, ""]
    assert len(up.workers) == 2
    assert not any(alive(pid) for pid in up.workers)


def test_stopped_agents_leave_no_valid_token_behind(started):
    folder, _ = started
    left = rows(folder, "SELECT name FROM tasks_agenttoken WHERE revoked_at IS NULL")
    assert left == [("first",)]


def test_second_start_changes_nothing_and_shows_no_secret(folder, started):
    _, first = started
    counts = (
        "SELECT (SELECT count(*) FROM auth_user), (SELECT count(*) FROM tasks_project), "
        "(SELECT password FROM auth_user WHERE username = 'admin')"
    )
    key, before = (folder / "secret_key").read_text(), rows(folder, counts)
    up = Up(folder, "--agents", "2")
    try:
        assert (up.greeting["login"], up.greeting["password"], up.greeting["token"]) == ("admin", None, None)
        assert up.greeting["agents"] == 2
        assert up.api("GET", "me", first.greeting["token"])["agent"]["slug"] == "guest"
    finally:
        code, errors = up.end(signal.SIGTERM)
    assert (code, errors) == (0, "")
    assert rows(folder, counts) == before
    assert (folder / "secret_key").read_text() == key


def test_demo_agents_finish_tasks(folder, started):
    up = Up(folder, "--agents", "3")
    try:
        token = started[1].greeting["token"]
        done = wait_for(lambda: up.api("GET", "tasks?status=completed", token)["results"])
        assert done[0]["summary"]
    finally:
        up.end()


def test_second_server_leaves_the_agents_of_the_first_at_work(folder):
    first = Up(folder, "--agents", "1")
    try:
        assert Up(folder, "--agents", "1").end()[0] == 0
        working = rows(folder, "SELECT count(*) FROM tasks_agenttoken WHERE name LIKE 'up%' AND revoked_at IS NULL")
    finally:
        _, errors = first.end()
    assert working == [(1,)]
    assert "revoked" not in errors


def test_killed_server_takes_its_agents_with_it(folder):
    up = Up(folder, "--agents", "2")
    workers = wait_for(lambda: len(children_of(up.process.pid)) == 2 and children_of(up.process.pid))
    up.process.kill()
    assert up.end()[0] == -signal.SIGKILL
    wait_for(lambda: not any(alive(pid) for pid in workers), seconds=20)


def test_killed_agent_is_started_again(folder):
    up = Up(folder, "--agents", "1")
    try:
        [worker] = wait_for(lambda: children_of(up.process.pid))
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: [pid for pid in children_of(up.process.pid) if pid != worker and alive(pid)])
    finally:
        assert up.end()[0] == 0


WAIT = """
import httpx, sys
url, token, accept = sys.argv[1:]
headers = {"Authorization": "Bearer " + token, "Accept": accept}
if accept == "text/event-stream":
    with httpx.stream("GET", url + "/api/v1/events", headers=headers, timeout=60) as answer:
        print("begun", flush=True)
        answer.read()
else:
    print("begun", flush=True)
    httpx.post(url + "/api/v1/tasks/claim_next", json={"wait_seconds": 30}, headers=headers, timeout=60)
"""


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("how", ["up", "uvicorn"])
def test_those_who_wait_do_not_hold_up_the_end(folder, started, how, accept):
    token = started[1].greeting["token"]
    if how == "up":
        up = Up(folder, "--agents", "0")
    else:
        up = Uvicorn(folder)
    httpx.post(
        f"{up.url}/api/v1/tasks/claim_next", json={}, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
    )
    waiting = subprocess.Popen(
        [sys.executable, "-c", WAIT, up.url, token, accept], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert waiting.stdout.readline() == b"begun\n"
    time.sleep(0.5)
    code, errors = up.end(signal.SIGTERM)
    # If it had been cut off after the grace period, the server would have said so.
    assert "Cancel" not in errors
    assert "Traceback" not in errors
    assert code in (0, -signal.SIGTERM)
    waiting.wait(PATIENCE)
    waiting.stdout.close()


def test_no_demo_starts_an_empty_server(tmp_path):
    up = Up(tmp_path, "--no-demo")
    greeting, children = up.greeting, children_of(up.process.pid)
    assert up.end() == (0, "")
    assert (greeting["agents"], greeting["token"], children) == (0, None, [])
    assert greeting["password"]
    assert rows(tmp_path, "SELECT count(*) FROM tasks_project") == [(0,)]


def test_raw_requests_are_bounded_and_connections_last(folder):
    up = Up(folder, "--agents", "0")
    try:
        assert endless_header(up) in REFUSALS
        with httpx.Client(base_url=up.url, headers={"X-Forwarded-For": "6.6.6.6"}) as client:
            large = client.post("/api/v1/tasks", content=b"x" * (1024 * 1024 + 1))
            assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
            fits = client.post("/api/v1/tasks", content=b"x" * (1024 * 1024))
            assert fits.status_code == 401
            assert client.head("/login/").content == b""
            assert client.get("/static/taskproject/base.css").status_code == 200
    finally:
        assert up.end() == (0, "")


#: The answer, or a reset that overtook it because the server closed while more of the header was in transit.
REFUSALS = (b"HTTP/1.1 431 Request Hea", b"reset")


def endless_header(up):
    with socket.create_connection(("127.0.0.1", int(up.url.rpartition(":")[2])), timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        try:
            for _ in range(70):
                connection.sendall(b"x" * 1024)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            return connection.recv(24)
        except ConnectionResetError:
            return b"reset"


def test_port_in_use_is_refused_before_anything_is_written(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(tmp_path, "--port", str(port)) == (
            2,
            f"Port {port} of 127.0.0.1 is in use; choose another with --port.\n",
        )
    assert not (tmp_path / DATABASE).exists()


@pytest.mark.parametrize(
    ("args", "extra", "sentence"),
    [
        ([], {"TIME_ZONE": "Nowhere"}, "TIME_ZONE 'Nowhere' is unknown; use a name such as Europe/Berlin."),
        ([], {"DATABASE_URL": "mysql://x"}, "DATABASE_URL must start with sqlite:/// or postgresql://."),
        (["--port", "70000"], {}, "--port: Must be from 0 to 65535."),
        (["--agents", "-1"], {}, "--agents: Must be from 0 to 50."),
        (["--port", "0", "--host", "no.such.host.invalid"], {}, "--host 'no.such.host.invalid' is not an address of "),
        (
            ["--port", "0"],
            {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
            "The database cannot be used: connection failed:",
        ),
        (["--port", "0"], {"DATABASE_URL": "sqlite:////nonexistent/folder/x.sqlite3"}, "The folder of the database, "),
        (["--port", "0"], {"DATA_DIR": "/dev/null/data"}, "The data folder /dev/null/data cannot be created"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(tmp_path, args, extra, sentence):
    code, errors = refused(tmp_path, *args, **extra)
    assert code == 2
    assert errors.startswith(sentence)
    assert errors.count("\n") == 1


def test_file_that_is_not_a_database_is_refused_and_kept(tmp_path):
    path = tmp_path / DATABASE
    path.write_text("A shopping list, and a long one at that.\n" * 50)
    before = path.read_bytes()
    code, errors = refused(tmp_path, "--port", "0")
    assert (code, errors) == (2, "The database cannot be used: file is not a database.\n")
    assert path.read_bytes() == before


def test_demo_agents_with_tokens_from_the_environment_work_until_idle(folder, started):
    up = Up(folder, "--agents", "0")
    try:
        ended = subprocess.run(
            [*MANAGE, "demo_agents", "--url", up.url, "--pace", "0", "--silences", "0", "--until-idle", "2", "--json"],
            env=environment(folder, TASKPROJECT_TOKENS=started[1].greeting["token"]),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=ROOT,
        )
    finally:
        up.end()
    assert (ended.returncode, ended.stderr) == (0, "")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {event["agent"] for event in events} <= {"", "guest"}
    steps = [event["event"] for event in events]
    assert (steps[0], steps[-1]) == ("started", "idle")
    assert "claimed" in steps


def test_demo_agents_without_a_server_say_so(tmp_path):
    ended = subprocess.run(
        [*MANAGE, "demo_agents", "--url", "http://127.0.0.1:1"],
        env=environment(tmp_path, TASKPROJECT_TOKENS="tp_x"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("No server answers at http://127.0.0.1:1 (")
    assert ended.stderr.count("\n") == 1
