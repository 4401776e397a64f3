"""What ``up`` promises when processes die: acknowledged writes stay, a dead agent's task comes back in time."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from taskproject.tests.test_up import MANAGE, ROOT, Up, environment, rows, wait_for
from taskproject.tests.workers import made_once

pytestmark = [pytest.mark.server, pytest.mark.slow]

WRITERS = 4


#: One process for all commands, which cost far less than its start.
PREPARE = """
import json
from io import StringIO
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("add_project", "OPS", "--name", "Operations", "--workers-create", stdout=StringIO())
tokens = []
for number in range(%d):
    call_command("add_agent", f"w{number}", "--project", "OPS", "--json", stdout=(printed := StringIO()))
    tokens.append(json.loads(printed.getvalue())["token"])
print(json.dumps(tokens))
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with an empty project, and tokens of four agents in it, which may create tasks."""

    def prepare(folder):
        ended = subprocess.run(
            [sys.executable, "-c", PREPARE % WRITERS],
            env=environment(folder, DJANGO_SETTINGS_MODULE="taskproject.settings"),
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return made_once(tmp_path_factory, "prepared", prepare)


@pytest.fixture
def agents(prepared, tmp_path):
    """A copy of that folder, and the tokens."""
    copy = tmp_path / "data"
    shutil.copytree(prepared[0], copy)
    return copy, prepared[1]


def client_of(up, token):
    return httpx.Client(base_url=f"{up.url}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_acknowledged_writes_survive_kill_9(agents):
    folder, tokens = agents
    up = Up(folder, "--no-demo")
    created, completed = set(), set()

    def write(token):
        with client_of(up, token) as client:
            while True:
                try:
                    answer = client.post("tasks", json={"project": "OPS", "title": "x"})
                    if answer.status_code == 201:
                        created.add(answer.json()["ref"])
                    for run in client.post("tasks/claim_next", json={}).json()["runs"]:
                        done = client.post(f"runs/{run['id']}/complete", json={"summary": "done"})
                        if done.status_code == 200:
                            completed.add(run["task"]["ref"])
                except (httpx.TransportError, ValueError):
                    return

    writers = [threading.Thread(target=write, args=(token,)) for token in tokens]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(completed) >= 20)
    up.process.send_signal(signal.SIGKILL)
    for writer in writers:
        writer.join()
    up.end()

    again = Up(folder, "--no-demo")
    assert again.end() == (0, "")
    statuses = {f"OPS-{number}": status for number, status in rows(folder, "SELECT number, status FROM tasks_task")}
    assert created <= set(statuses)
    assert {statuses[ref] for ref in completed} == {"completed"}
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    once = "SELECT count(*) FROM tasks_run WHERE status = 'completed' GROUP BY task_id HAVING count(*) > 1"
    assert rows(folder, once) == []


def test_questions_survive_kill_9_and_their_answers_reach_who_asked(agents):
    folder, (parked, running, *_) = agents
    arguments = ["add_agent", "hanna", "--kind", "human", "--project", "OPS", "--token", "phone", "--json"]
    made = subprocess.run(
        [*MANAGE, *arguments], env=environment(folder), capture_output=True, text=True, cwd=ROOT, check=True
    )
    person = json.loads(made.stdout)["token"]
    up = Up(folder, "--no-demo")
    asked = {}
    for token, parks in ((parked, True), (running, False)):
        with client_of(up, token) as client:
            client.post("tasks", json={"project": "OPS", "title": "x"})
            [run] = client.post("tasks/claim_next", json={}).json()["runs"]
            ask = {
                "prompt": "Which key?",
                "kind": "choice",
                "options": [{"label": "old"}, {"label": "new"}],
                "park": parks,
            }
            [question] = client.post(f"runs/{run['id']}/ask", json=ask).json()["questions"]
            asked[token] = (run, question["id"])
    up.process.send_signal(signal.SIGKILL)
    up.end()

    up = Up(folder, "--no-demo")
    try:
        with client_of(up, person) as client:
            answers = [{"id": pk, "value": "new"} for _, pk in asked.values()]
            given = client.post("questions/answer_many", json={"answers": answers}).json()["results"]
            assert len(client.get("questions?state=answered").json()["results"]) == len(given) == 2
        with client_of(up, running) as client:
            run, pk = asked[running]
            [directive] = client.post(f"runs/{run['id']}/heartbeat", json={}).json()["directives"]
            assert (directive["kind"], directive["question"], directive["value"]) == ("answer", pk, "new")
        with client_of(up, parked) as client:
            run, pk = asked[parked]
            [again] = client.post("tasks/claim_next", json={}).json()["runs"]
            assert (again["task"]["ref"], again["number"]) == (run["task"]["ref"], 2)
            assert [answer["value"] for answer in again["context"]["answers"]] == ["new"]
    finally:
        up.end()


def test_dead_agents_task_is_another_agents_within_its_lease_and_10_seconds(agents):
    folder, (dead, living, *_) = agents
    up = Up(folder, "--no-demo")
    try:
        with client_of(up, dead) as client:
            client.post("tasks", json={"project": "OPS", "title": "x"})
            [run] = client.post("tasks/claim_next", json={"lease_seconds": 30}).json()["runs"]
        # Not the half minute that a lease lasts at least.
        lease_ends = datetime.now(UTC) + timedelta(seconds=2)
        with sqlite3.connect(folder / "taskproject.sqlite3") as database:
            database.execute("UPDATE tasks_run SET lease_expires_at = ?", [f"{lease_ends:%Y-%m-%d %H:%M:%S.%f}"])
        database.close()
        with client_of(up, living) as client:
            until, runs = time.monotonic() + 60, []
            while not runs and time.monotonic() < until:
                runs = client.post("tasks/claim_next", json={"wait_seconds": 20}).json()["runs"]
        taken = datetime.fromisoformat(runs[0]["started_at"])
        assert runs[0]["task"]["ref"] == run["task"]["ref"]
        assert 0 <= (taken - lease_ends).total_seconds() <= 10
        with client_of(up, dead) as client:
            refused = client.post(f"runs/{run['id']}/complete", json={"summary": "too late"})
        assert (refused.status_code, refused.json()["reason"]) == (409, "expired")
    finally:
        up.end()
