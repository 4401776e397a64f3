"""Promises of a running server: each task once, nothing acknowledged lost to kill -9, stale writers refused."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
from django.conf import settings
from django.db import connection

from tasks import clock
from tasks.actions.agents import create_token
from tasks.models import Event, Role, Run, RunStatus, Task
from tasks.tests.cast import join, make_agent
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once, process_environment
from tasks.tests.server_process import Caller, ServerProcess, wait_until
from tasks.tests.sizes import RACED_TASKS_OVER_HTTP, SERVER_KILLS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def server(cast, tmp_path):
    process = ServerProcess(tmp_path)
    yield process
    process.close()


def token_of(agent):
    return create_token(actor=None, agent=agent, name="test")[1]


def workers(cast, count, capacity):
    made = [make_agent(f"worker-{number}", capacity=capacity) for number in range(count)]
    for agent in made:
        join(cast.ops, agent.user, Role.WORKER)
    return made


def many_ready_tasks(project, count):
    now = clock.now()
    Task.objects.bulk_create(
        [
            Task(project=project, number=number, title=f"Task {number}", created_at=now, updated_at=now)
            for number in range(1, count + 1)
        ]
    )
    project.last_number = count
    project.save(update_fields=["last_number"])


def test_8_clients_over_http_get_each_task_once(cast, server):
    many_ready_tasks(cast.ops, RACED_TASKS_OVER_HTTP)

    def work(token):
        caller, completed = Caller(server.url, token), []
        while runs := caller.post("/tasks/claim_next", {}, str(uuid.uuid4())).raise_for_status().json()["runs"]:
            for run in runs:
                done = caller.post(f"/runs/{run['id']}/complete", {"summary": "done"}, str(uuid.uuid4()))
                completed.append(done.raise_for_status().json()["task"]["ref"])
        caller.close()
        return completed

    tokens = [token_of(agent) for agent in workers(cast, 8, capacity=1)]
    ledgers = at_once(*(lambda token=token: work(token) for token in tokens))
    for ledger in ledgers:
        assert isinstance(ledger, list), ledger
    assert sorted(ref for ledger in ledgers for ref in ledger) == sorted(
        f"OPS-{n}" for n in range(1, RACED_TASKS_OVER_HTTP + 1)
    )
    assert set(Task.objects.values_list("status", "run_count")) == {("completed", 1)}
    assert_invariants()
    assert "Traceback" not in server.errors.read_text()


class Writer:
    """A client that keeps a ledger of what the server acknowledged, and retries forever."""

    def __init__(self, url, token, stop, seed):
        self.caller, self.stop, self.dice = Caller(url, token), stop, random.Random(seed)
        self.created, self.claimed, self.progressed, self.ended = [], [], {}, {}

    def __call__(self):
        held = []
        while not self.stop.is_set() or held:
            if not self.stop.is_set() and self.dice.random() < 0.4:
                title = str(uuid.uuid4())
                made = self._post("/tasks", {"project": "OPS", "title": title})
                self.created.append((made["ref"], title))
            if not self.stop.is_set():
                runs = self._post("/tasks/claim_next", {"limit": 2})["runs"]
                self.claimed += [(run["id"], run["task"]["ref"]) for run in runs]
                held += runs
            if held:
                self._work_on(held.pop(0)["id"])
        self.caller.close()
        return self

    def _work_on(self, run):
        percent = self.dice.randrange(1, 99)
        self._post(f"/runs/{run}/progress", {"percent": percent, "note": run})
        self.progressed[run] = percent
        summary = str(uuid.uuid4())
        if self.dice.random() < 0.2:
            self._post(f"/runs/{run}/fail", {"code": "dice", "detail": summary, "retryable": False})
            self.ended[run] = (RunStatus.FAILED, summary)
        else:
            self._post(f"/runs/{run}/complete", {"summary": summary})
            self.ended[run] = (RunStatus.COMPLETED, summary)

    def _post(self, path, body):
        return self.caller.post(path, body, str(uuid.uuid4())).raise_for_status().json()


def test_kill_9_of_the_server_loses_nothing_acknowledged_and_doubles_nothing(cast, server):
    cast.ops.workers_create = True
    cast.ops.save()
    many_ready_tasks(cast.ops, 40)
    stop = threading.Event()
    writers = [
        Writer(server.url, token_of(agent), stop, seed) for seed, agent in enumerate(workers(cast, 4, capacity=5))
    ]

    def kill_now_and_then():
        dice = random.Random("kill")
        try:
            for _ in range(SERVER_KILLS):
                time.sleep(dice.uniform(1, 3))
                server.kill()
                server.start()
            time.sleep(1)
        finally:
            stop.set()

    outcomes = at_once(kill_now_and_then, *writers)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    _assert_ledgers_hold(writers)
    _assert_database_is_sound()
    assert "Traceback" not in server.errors.read_text()


def _assert_ledgers_hold(writers):
    created = [entry for writer in writers for entry in writer.created]
    claimed = [entry for writer in writers for entry in writer.claimed]
    ended = {run: end for writer in writers for run, end in writer.ended.items()}
    assert created, "somebody worked"
    assert ended, "somebody worked"
    stored = {task.ref: task for task in Task.objects.select_related("project")}
    assert {ref: stored[ref].title for ref, _ in created} == dict(created)
    assert len(stored) == 40 + len(created), "each key had one effect"
    runs = {str(run.pk): run for run in Run.objects.select_related("task__project")}
    assert {run: runs[run].task.ref for run, _ in claimed} == dict(claimed)
    assert set(runs) == {run for run, _ in claimed}, "nothing was claimed for nobody"
    for run, (status, word) in ended.items():
        assert runs[run].status == status
        assert (runs[run].summary if status == RunStatus.COMPLETED else runs[run].failure["detail"]) == word
    assert set(ended) == set(runs)
    percents = {run: percent for writer in writers for run, percent in writer.progressed.items()}
    progress = Event.objects.filter(kind="task.progressed")
    assert {event.data["note"]: event.data["percent"] for event in progress} == percents
    assert progress.count() == len(percents)


def _assert_database_is_sound():
    assert_invariants()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check")
            assert cursor.fetchall() == [("ok",)]
            cursor.execute("PRAGMA foreign_key_check")
            assert cursor.fetchall() == []


def test_a_dead_holders_task_comes_back_after_a_restart(cast, server, new_task):
    task = new_task()
    caller = Caller(server.url, token_of(cast.atlas))
    run = caller.post(f"/tasks/{task.ref}/claim", {"lease_seconds": 30}).raise_for_status().json()
    server.kill()
    Run.objects.filter(pk=run["id"]).update(lease_expires_at=Task.objects.get(pk=task.pk).created_at)
    server.start()
    wait_until(lambda: Task.objects.get(pk=task.pk).status == "not_started", "the engine returns the task")
    late = caller.post(f"/runs/{run['id']}/complete", {"summary": "late"})
    assert (late.status_code, late.json()["code"], late.json()["reason"]) == (409, "lease_lost", "expired")
    caller.close()


def test_an_agent_stopped_past_its_lease_is_refused_when_it_wakes(cast, server, new_task):
    task = new_task()
    zombie = subprocess.Popen(
        [sys.executable, "-m", "tasks.tests.zombie_worker", server.url, token_of(cast.atlas)],
        env=process_environment(),
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        held = json.loads(zombie.stdout.readline())
        assert held["ref"] == task.ref
        zombie.send_signal(signal.SIGSTOP)
        Run.objects.filter(pk=held["run"]).update(lease_expires_at=task.created_at)
        wait_until(lambda: Task.objects.get(pk=task.pk).status == "not_started", "the engine returns the task")
        Task.objects.filter(pk=task.pk).update(deferred_until=None)
        other = Caller(server.url, token_of(cast.bert))
        taken = other.post(f"/tasks/{task.ref}/claim", {}).raise_for_status().json()
        done = other.post(f"/runs/{taken['id']}/complete", {"summary": "taken over", "result": {"by": "bert"}})
        other.close()
        before = done.raise_for_status().json()["task"]
        zombie.send_signal(signal.SIGCONT)
        out, _ = zombie.communicate("wake\n", timeout=60)
    finally:
        if zombie.poll() is None:
            zombie.kill()
            zombie.communicate()
    assert json.loads(out) == [
        [verb, 409, "lease_lost", "expired"] for verb in ("heartbeat", "progress", "complete", "fail", "release")
    ]
    after = Task.objects.get(pk=task.pk)
    assert (after.status, after.result, after.version) == ("completed", {"by": "bert"}, before["version"])
    assert Run.objects.get(pk=held["run"]).late_result["summary"] == "late"
    assert_invariants()
