"""The database side of a run: ``python -m bench.chaos.books prepare``, then ``… check`` with the ledger on its input.

``prepare`` prints ``{"writers": tokens, "followers": tokens, "cursor"}``. ``check`` reads ``{"ledger", "after"}`` and
prints ``{"broken": sentences, "events": ids in order, "tasks", "runs"}``.
"""

import json
import os
import sys
from collections import Counter
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User

from tasks import clock
from tasks.actions.agents import create_token
from tasks.events.reading import Cursor, present_cursor, read_events
from tasks.models import Agent, EngineState, Event, Membership, Project, Role, Run, Task
from tasks.tests.invariants import assert_invariants

WRITERS, FOLLOWERS = 6, 6
#: An engine that has not ticked for this long is not at work.
TICK_SECONDS = 30


def prepare() -> dict[str, Any]:
    project = Project.objects.create(key="CHAOS", name="Chaos", allow_pull=True, workers_create=True)
    tokens: list[str] = []
    for number in range(WRITERS + FOLLOWERS):
        name = f"agent-{number}"
        user = User.objects.create_user(name)
        agent = Agent.objects.create(user=user, slug=name, name=name, max_concurrent=5)
        Membership.objects.create(project=project, user=user, role=Role.WORKER)
        tokens.append(create_token(actor=None, agent=agent, name="chaos")[1])
    return {"writers": tokens[:WRITERS], "followers": tokens[WRITERS:], "cursor": str(present_cursor())}


def check(ledger: dict[str, dict[str, Any]], after: str) -> dict[str, Any]:
    """Compare the ledger with the tables, in both directions: none lost, none twice, none that nobody asked for."""
    tasks = {task.ref: task for task in Task.objects.select_related("project")}
    runs = {str(run.pk): run for run in Run.objects.select_related("task__project")}
    broken = [
        *_compare("tasks", ledger["created"], {ref: task.title for ref, task in tasks.items()}),
        *_compare("runs", ledger["claimed"], {pk: run.task.ref for pk, run in runs.items()}),
        *_compare("ends of runs", ledger["ended"], {pk: [run.status, _said(run)] for pk, run in runs.items()}),
    ]
    titles = Counter(task.title for task in tasks.values())
    broken += [f"the task {title} was created {count} times" for title, count in titles.items() if count > 1]
    for pk, percent in ledger["progressed"].items():
        if pk in runs and runs[pk].progress_percent not in (percent, 100):
            broken.append(f"the progress of run {pk} was {percent} and is {runs[pk].progress_percent}")
    broken += _ends_in_events(runs)
    state = EngineState.objects.first()
    if state is None or (clock.now() - state.last_tick_at).total_seconds() > TICK_SECONDS:
        broken.append(f"no engine is at work: {state and state.last_tick_at}")
    try:
        assert_invariants()
    except AssertionError as error:
        broken.append(f"a promise of the domain is broken: {error}")
    return {"broken": broken, "events": _visible(after), "tasks": len(tasks), "runs": len(runs)}


def _compare(what: str, kept: dict[str, Any], there: dict[str, Any]) -> list[str]:
    lost = [f"{what}: {name} was acknowledged and is not there" for name in kept if name not in there]
    extra = [f"{what}: {name} is there and was never acknowledged" for name in there if name not in kept]
    differ = [f"{what}: {n} was {kept[n]} and is {there[n]}" for n in kept if n in there and kept[n] != there[n]]
    return [*lost, *extra, *differ]


def _said(run: Run) -> str:
    return run.failure["detail"] if run.failure else run.summary


def _ends_in_events(runs: dict[str, Run]) -> list[str]:
    """Each run has one event that ended it."""
    ended = Counter(
        str(event.run_id) for event in Event.objects.filter(kind="task.status_changed") if event.data.get("outcome")
    )
    return [f"run {pk} ended {ended[pk]} times" for pk in runs if ended[pk] != 1]


def _visible(after: str) -> list[int]:
    """What every follower must have received."""
    user = User.objects.get(username=f"agent-{WRITERS}")
    ids: list[int] = []
    cursor = Cursor.parse(after)
    while True:
        events, cursor = read_events(user=user, after=cursor, limit=1000)
        if not events:
            return ids
        ids += [event.pk for event in events if event.recipient_id is None]


def main() -> None:
    result = prepare() if sys.argv[1] == "prepare" else check(**json.load(sys.stdin))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
