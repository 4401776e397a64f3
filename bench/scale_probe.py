"""Median times of requests in this process, in milliseconds, as JSON. Needs ``DATABASE_URL``."""

import argparse
import json
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User
from django.test import Client

WARM_UP = 5


def timed(work: Callable[[], Any], times: int) -> float:
    taken = []
    for turn in range(WARM_UP + times):
        began = time.perf_counter()
        answer = work()
        if turn >= WARM_UP:
            taken.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code}: {answer.content[:300]!r}")
    return median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--token", required=True)
    parser.add_argument("--times", type=int, default=30)
    options = parser.parse_args()
    agent = Client(headers={"authorization": f"Bearer {options.token}", "host": "localhost"})
    person = Client(headers={"host": "localhost"})
    person.force_login(User.objects.get(username="root"))
    claimed: list[str] = []

    def claim() -> Any:
        answer = agent.post("/api/v1/tasks/claim_next", {}, content_type="application/json")
        claimed[:] = [run["id"] for run in answer.json()["runs"]]
        return answer

    def claim_and_free() -> Any:
        if claimed:
            agent.post(f"/api/v1/runs/{claimed[0]}/complete", {"summary": "done"}, content_type="application/json")
        return claim()

    times = options.times
    # The completion in between is included, and costs the same at any size.
    figures = {
        "claim_next + complete": timed(claim_and_free, times),
        "task list": timed(lambda: agent.get("/api/v1/tasks"), times),
        "board": timed(lambda: person.get("/"), times),
        "admin list": timed(lambda: person.get("/admin/tasks/task/"), times),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
