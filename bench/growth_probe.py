"""Costs of requests in this process, asked for one by one on its input; needs ``DATABASE_URL`` on ``mixed`` data.

A line ``{"name": …, "times": …, "limit": …}`` is answered by one with the milliseconds of CPU of each time, that of the
connection's PostgreSQL process included, and with the queries, bytes and rows of the answer.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.growth_paths import ADDRESSES, VERBS
from bench.pages_probe import LEAD, add_what_people_leave, clock_of_work
from bench.statements import execute
from tasks import clock, engine
from tasks.actions.agents import create_token
from tasks.events.reading import Cursor, present_cursor, replayed_since
from tasks.models import Agent, Event, Task

#: Events before the end at which a reader stands who is nearly up to date.
BEHIND = 100


def settle(*, statistics: bool) -> None:
    """Leave the planner with statistics, or with none as in a database that nobody has ever analysed."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'")
            tables = [name for (name,) in cursor.fetchall()]
        if statistics:
            # Again each time: an index that has come since has none, and is then preferred to all others.
            execute("ANALYZE")
        for table in () if statistics else tables:
            execute(f"DELETE FROM {table}")
        # Statistics are read with the schema.
        connection.close()
        return
    if statistics:
        execute("VACUUM ANALYZE")
        return
    # What only a superuser may do, on a server that is ours.
    execute("DELETE FROM pg_statistic")
    execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relkind IN ('r', 'i') AND relname ~ '^tasks_'")
    execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relkind IN ('r', 'i') AND relname ~ '^messaging_'")


class Probe:
    """Who asks, and what they ask for, on data as ``mixed`` with what people leave."""

    def __init__(self) -> None:
        present = clock.now()
        # The ids of the data are not in the order of their times, and what is old is not replayed.
        recent = Event.objects.filter(at__gte=replayed_since()).order_by("-pk").values_list("pk", flat=True)[:BEHIND]
        behind = min(recent, default=present_cursor().id + 1) - 1
        self.places = {
            "ref": Task.objects.filter(project__key="P0", number=7).get().ref,
            "agent": str(Agent.objects.get(slug="agent-65").pk),
            "cursor": str(Cursor(behind)),
            "past": str((present - timedelta(days=182)).date()),
            "today": str(present.date()),
        }
        token = create_token(actor=None, agent=Agent.objects.get(slug="walker"), name="growth")[1]
        self.worker = Client(headers={"authorization": f"Bearer {token}", "host": "localhost"})
        self.clients = {"worker": self.worker, LEAD: self._person(LEAD), "root": self._person("root")}
        self.run: str | None = None
        self.is_idle = False

    @staticmethod
    def _person(name: str) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(User.objects.get(username=name))
        return client

    def measure(self, name: str, times: int, limit: int | None) -> dict[str, Any]:
        now = clock_of_work()
        work = self.work(name, limit)
        with CaptureQueriesContext(connection) as queries:
            answer = work()
        taken = []
        for _ in range(times):
            began = now()
            work()
            taken.append(1000 * (now() - began))
        rows = None
        if answer is not None and answer.headers.get("Content-Type", "").startswith("application/json"):
            results = answer.json().get("results") if name in ADDRESSES else None
            rows = len(results) if isinstance(results, list) else None
        size = len(answer.content) if answer is not None else 0
        return {"ms": taken, "queries": len(queries), "bytes": size, "rows": rows}

    def work(self, name: str, limit: int | None = None) -> Callable[[], Any]:
        """What does the thing of this name once, and returns the answer to a request. ``limit``: of its rows."""
        return self._verb(name) if name in VERBS else self._read(name, limit)

    def _read(self, name: str, limit: int | None) -> Callable[[], Any]:
        address = ADDRESSES[name]
        path = address.path
        for place, value in self.places.items():
            path = path.replace(f"{{{place}}}", value)
        if limit is not None:
            path += f"{'&' if '?' in path else '?'}limit={limit}"
        client = self.clients[address.caller]
        return lambda: _checked(client.get(path), path)

    def _verb(self, name: str) -> Callable[[], Any]:
        match name:
            case "claim + complete":
                return self._claim_and_complete
            case "heartbeat":
                return self._heartbeat
            case "create a task":
                return self._create
            case _:
                return self._tick

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        client = self.clients[LEAD] if path == "/api/v1/tasks" else self.worker
        return _checked(client.post(path, body, content_type="application/json"), path)

    def _claim(self) -> str:
        (run,) = self._post("/api/v1/tasks/claim_next", {}).json()["runs"]
        return run["id"]

    def _claim_and_complete(self) -> None:
        self._post(f"/api/v1/runs/{self._claim()}/complete", {"summary": "done"})

    def _heartbeat(self) -> None:
        self.run = self.run or self._claim()
        self._post(f"/api/v1/runs/{self.run}/heartbeat", {})

    def _create(self) -> Any:
        return self._post("/api/v1/tasks", {"project": "P0", "title": "Make the nightly import faster"})

    def _tick(self) -> None:
        while not self.is_idle:
            # What has become due since the data were made is no part of an ordinary second.
            self.is_idle = not any(engine.tick().as_dict().values())
        engine.tick()


def _checked(answer: Any, path: str) -> Any:
    if answer.status_code not in (200, 201):
        raise RuntimeError(f"{path} answered {answer.status_code}: {answer.content[:300]!r}")
    return answer


@contextmanager
def _own_output() -> Iterator[Any]:
    """Where answers go; what anything else prints goes to the errors."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as output:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        yield output


def main() -> None:
    with _own_output() as output:
        call_command("migrate", verbosity=0)
        if not User.objects.filter(username=LEAD).exists():
            add_what_people_leave()
        settle(statistics="--statistics" in sys.argv)
        probe = Probe()
        print(json.dumps({"ready": True}), file=output, flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = probe.measure(asked["name"], asked["times"], asked.get("limit"))
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=output, flush=True)


if __name__ == "__main__":
    main()
