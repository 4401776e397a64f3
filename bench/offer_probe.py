"""Creates tasks one by one and waits until each is offered; prints the seconds as JSON. Needs ``DATABASE_URL``."""

import argparse
import json
import os
import threading
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.core.management import call_command

from bench.dataset import add_tasks, make_team, settle
from tasks import clock
from tasks.actions.tasks import NewTask, create_task
from tasks.assignment.matchmaker import Matchmaker
from tasks.models import Agent, Assignment, Project, Task

PATIENCE_SECONDS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--agents", type=int, required=True)
    parser.add_argument("--times", type=int, default=100)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    (project,), _ = make_team(1, options.agents, 100)
    add_tasks(options.tasks, [project], ready=False)
    # Nobody can do what already waits: a queue being served would hide the cost of a single task.
    Task.objects.filter(status="not_started").update(deferred_until=None, open_blockers=1)
    Project.objects.update(mode="auto", last_number=options.tasks + 1)
    Agent.objects.update(last_seen_at=clock.now())
    settle()
    stop = threading.Event()
    engine = threading.Thread(target=Matchmaker().run, args=(stop,), daemon=True)
    engine.start()
    taken = []
    for number in range(options.times + 5):
        if number % 20 == 0:
            Agent.objects.update(last_seen_at=clock.now())
        task = create_task(actor=None, project=Project.objects.get(), new=NewTask(title=f"New {number}"))
        began = time.perf_counter()
        while not Assignment.objects.filter(task=task).exists():
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise RuntimeError("a task was never offered")
            time.sleep(0.005)
        if number >= 5:
            taken.append(time.perf_counter() - began)
        time.sleep(0.2)
    stop.set()
    engine.join(5)
    taken.sort()
    print(json.dumps({"p50": taken[len(taken) // 2], "p99": taken[int(len(taken) * 0.99)]}))


if __name__ == "__main__":
    main()
