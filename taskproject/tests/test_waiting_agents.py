"""Many agents that wait on one server process: a task goes to one of them, and to the others it costs nothing."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from tasks import clock
from tasks.actions.tasks import NewTask, create_task
from tasks.models import Agent, AgentKind, AgentToken, Membership, Role, Run, Task
from tasks.tests.racing import in_thread, process_environment
from tasks.tests.server_process import PATIENCE, said_by_itself, wait_until
from tasks.tests.sizes import WAITING_AGENTS
from tasks.tokens import digest_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]

#: Enough for one task that comes: the wake, and the races that a wake may lose. Not one for each who waits.
FEW = 5


class CountingServer:
    """``taskproject.tests.counting_server`` in a process of its own."""

    def __init__(self, folder):
        self.errors = folder / "server.err"
        self.began = time.monotonic()
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "taskproject.tests.counting_server"],
                env=process_environment(API_RATE_LIMIT="1000000/minute", DJANGO_SETTINGS_MODULE="taskproject.settings"),
                cwd=settings.BASE_DIR,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.port = int(line)

    def counts(self):
        return httpx.get(f"http://127.0.0.1:{self.port}/counts", timeout=PATIENCE).json()

    def stop(self):
        """SIGTERM; the exit code, and what it wrote to stderr, as of ``said_by_itself``."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code, said_by_itself(self.errors, within=time.monotonic() - self.began)


@pytest.fixture
def server(cast, tmp_path):
    process = CountingServer(tmp_path)
    yield process
    process.stop()


@pytest.fixture
def agents(cast):
    """``WAITING_AGENTS`` members of OPS: their tokens."""
    names = [f"agent-{number}" for number in range(WAITING_AGENTS)]
    users = User.objects.bulk_create(User(username=name, password="!") for name in names)
    made = Agent.objects.bulk_create(
        Agent(user=user, slug=user.username, name=user.username, kind=AgentKind.LLM, max_concurrent=1) for user in users
    )
    Membership.objects.bulk_create(Membership(project=cast.ops, user=user, role=Role.WORKER) for user in users)
    now = clock.now()
    AgentToken.objects.bulk_create(
        AgentToken(agent=agent, name="test", digest=digest_of(agent.slug), created_at=now) for agent in made
    )
    return names


class WaitingAgent:
    """An agent that asks for work, waits, and asks again until it has a task or is sent home."""

    def __init__(self, server, token):
        self.server, self.token = server, token
        self.asked = 0
        self.answers = []
        self.task = None

    def request(self):
        body = json.dumps({"wait_seconds": 30})
        return (
            "POST /api/v1/tasks/claim_next HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    async def work(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            while self.task is None:
                self.asked += 1
                writer.write(self.request())
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                answer = json.loads(await reader.readexactly(int(length.split(b":")[1])))
                self.answers.append((int(head.split()[1]), answer))
                if runs := answer.get("runs"):
                    self.task = runs[0]["task"]["ref"]
        finally:
            writer.close()


async def counted(server, condition, what):
    return await asyncio.to_thread(wait_until, lambda: condition(counts := server.counts()) and counts, what)


def crowd_of(server, agents):
    crowd = [WaitingAgent(server, token) for token in agents]
    return crowd, [asyncio.create_task(agent.work()) for agent in crowd]


async def create_in(cast, title):
    def create():
        create_task(actor=cast.ada.user, project=cast.ops, new=NewTask(title=title))

    await asyncio.to_thread(in_thread(create).join)


def served(crowd):
    return sorted(agent.task for agent in crowd if agent.task)


def test_task_goes_to_one_of_many_that_wait_and_costs_the_others_nothing(cast, server, agents):
    async def story():
        crowd, working = crowd_of(server, agents)
        # A few may just be asking again.
        before = await counted(server, lambda counts: counts["waiting"] > 0.9 * len(agents), "they wait")
        assert before["threads"] <= settings.HTTP_THREADS
        began = time.monotonic()
        await create_in(cast, "Wanted")
        await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        took = time.monotonic() - began
        after = await counted(server, lambda counts: counts["busy_threads"] == 0, "nothing is under way")
        print(f"{len(agents)} wait; claimed {took:.2f} s after its creation; {before}; {after}")  # noqa: T201
        assert served(crowd) == ["OPS-1"]
        assert after["woken"] - before["woken"] <= FEW
        # A request is run when it comes and each time that it is woken, and not now and then besides.
        assert after["runs"] <= sum(agent.asked for agent in crowd) + after["woken"]

        # Who vanishes is handed nothing; what comes goes to those that stay.
        gone, staying = working[: len(working) // 2], working[len(working) // 2 :]
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        await counted(server, lambda counts: counts["seats"] <= len(staying), "the server has noticed who left")
        for number in range(3):
            await create_in(cast, f"Task {number}")
        await counted(server, lambda _: len(served(crowd)) == 4, "each has been claimed")

        # The server stops: whoever waits is answered.
        waiting = [agent for agent in crowd[len(working) // 2 :] if agent.task is None]
        answered = {agent.token: len(agent.answers) for agent in waiting}
        code, errors = await asyncio.to_thread(server.stop)
        await asyncio.gather(*staying, return_exceptions=True)
        assert (code in (0, -signal.SIGTERM), errors) == (True, "")
        assert all(len(agent.answers) > answered[agent.token] for agent in waiting)
        return crowd

    crowd = asyncio.run(story())
    assert {status for agent in crowd for status, _ in agent.answers} == {200}
    assert served(crowd) == ["OPS-1", "OPS-2", "OPS-3", "OPS-4"]
    assert Run.objects.count() == 4


def test_task_goes_to_one_of_those_that_wait_on_two_servers(cast, server, agents, tmp_path):
    (tmp_path / "second").mkdir()
    second = CountingServer(tmp_path / "second")
    half = len(agents) // 8

    async def story():
        crowd, working = [], []
        for each, tokens in ((server, agents[:half]), (second, agents[half : 2 * half])):
            theirs, begun = crowd_of(each, tokens)
            crowd, working = crowd + theirs, working + begun
            await counted(each, lambda counts: counts["waiting"] > 0.9 * half, "they wait")
        for number in range(4):
            await create_in(cast, f"Task {number}")
            await counted(server, lambda _, number=number: len(served(crowd)) > number, "it has been claimed")
        woken = sum(each.counts()["woken"] for each in (server, second))
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        return crowd, woken

    try:
        crowd, woken = asyncio.run(story())
    finally:
        second.stop()
    assert served(crowd) == ["OPS-1", "OPS-2", "OPS-3", "OPS-4"]
    assert Run.objects.count() == 4
    # Each server wakes one of its own for each task, and whoever is too late waits on.
    assert woken <= 4 * 2 * FEW


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: its connections can be ended")
def test_those_who_wait_outlive_a_loss_of_the_database(cast, server, agents):
    def end_connections():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return cursor.fetchone()[0]

    async def story():
        crowd, working = crowd_of(server, agents[:50])
        await counted(server, lambda counts: counts["waiting"] == 50, "they wait")
        assert await asyncio.to_thread(in_thread_result, end_connections) > 0
        await create_in(cast, "After all")
        await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        return crowd

    connection.close()  # this one is not meant
    crowd = asyncio.run(story())
    assert served(crowd) == ["OPS-1"]
    assert {status for agent in crowd for status, _ in agent.answers} == {200}
    assert Task.objects.get().status == "in_progress"


def in_thread_result(work):
    results = []
    in_thread(lambda: results.append(work())).join()
    return results[0]
