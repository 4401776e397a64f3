"""A clock that tests set by hand, and tasks completed at chosen times."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from reports import exports, parameters, running
from reports.predefined import REPORTS
from tasks import clock
from tasks.actions import claims, offering, questions, runs
from tasks.actions.imports import import_plan
from tasks.formats import json_list
from tasks.models import Agent, AssignmentDecision, DecisionMode, Question, Task
from tasks.tests.fake_clock import patch_clock

BERLIN = ZoneInfo("Europe/Berlin")


#: Notes how many milliseconds the page's requests are given from now on.
NOTE_PATIENCE = """() => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  window.longestPatience = 0;
  AbortSignal.timeout = (patience) => {
    window.longestPatience = Math.max(window.longestPatience, patience);
    return timeout(patience);
  };
}"""


def utc(text: str) -> datetime:
    """``utc("2026-01-05 10:00")``: an aware time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def offer(agent: Agent, task: Task, *, score: float, margin: float) -> None:
    """Offer ``task`` to ``agent`` for an hour, as the engine does."""
    values = {"policy": "value", "policy_version": "1", "mode": DecisionMode.AUTO, "score": score, "margin": margin}
    decision = AssignmentDecision(task=task, at=clock.now(), **values)
    made = offering.Offer(task.project, task.pk, task.version, clock.now() + timedelta(hours=1), decision)
    assert offering.offer_tasks(actor=None, agent=agent.pk, offers=[made])


@pytest.fixture
def set_clock(monkeypatch) -> Callable[[str], datetime]:
    """``set_clock("2026-01-05 10:00")``: for every verb it is now this time, in UTC."""

    def set_to(text: str) -> datetime:
        moment = utc(text)
        patch_clock(monkeypatch, lambda: moment)
        return moment

    return set_to


@pytest.fixture
def do_task(cast, new_task, set_clock):
    """``do_task("created", "started", "completed", agent=…)``: a task of OPS with that history, in UTC."""

    def do(created: str, started: str, completed: str, *, agent=None, task: Task | None = None, **fields) -> Task:
        who = (agent or cast.atlas).user
        set_clock(created)
        task = task or new_task(**fields)
        set_clock(started)
        run = claims.claim_task(actor=who, task=task, lease_seconds=14_400)
        set_clock(completed)
        runs.complete_run(actor=who, run_id=run.pk, summary="done")
        task.refresh_from_db()
        return task

    return do


@pytest.fixture
def something_of_all(cast, new_task, do_task, set_clock):
    """``something_of_all()``: in OPS in January, by atlas, something that each report counts."""

    def do() -> None:
        due = utc("2026-01-02 09:30")
        done = do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00", due_at=due)
        waits = new_task(depends_on=[done])
        run = claims.claim_task(actor=cast.atlas.user, task=waits)
        questions.ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?")
        questions.answer_question(actor=cast.ada.user, question_id=Question.objects.get().pk, value="This")
        used = {"input_tokens": 10, "output_tokens": 2, "cost": 0.5}
        failed = {"code": "broken", "detail": "atlas gave up", "retryable": False, "usage": used}
        runs.fail_run(actor=cast.atlas.user, run_id=run.pk, **failed)
        new_task(depends_on=[waits])
        claims.claim_task(actor=cast.atlas.user, task=new_task())
        offer(cast.atlas, new_task(), score=2.0, margin=0.5)

    return do


@pytest.fixture
def import_completed(cast, set_clock):
    """``import_completed("created", "started" or None, "completed", at="…")``: an imported task, done elsewhere."""
    numbers = itertools.count(1)

    def bring_in(created: str, started: str | None, completed: str, *, at: str = "2026-03-01 00:00") -> Task:
        set_clock(at)
        times = {"created_at": created, "started_at": started, "completed_at": completed}
        entry = {name: utc(text).isoformat() for name, text in times.items() if text}
        key = f"elsewhere-{next(numbers)}"
        entry |= {"key": key, "title": "From a file", "status": "completed"}
        import_plan(actor=None, project=cast.ops, plan=json_list.read(json.dumps([entry])))
        return Task.objects.select_related("project").get(external_id=key)

    return bring_in


@pytest.fixture
def ask(cast):
    """``ask("completed", "from=…&to=…", user=…, now="…")`` → the answer as the API gives it."""

    def ask_for(slug: str, query: str = "", *, user=None, now: str = "2026-06-01 12:00") -> dict:
        moment = utc(now)
        question = parameters.read_question(QueryDict(query), user=user or cast.ada.user, now=moment)
        return exports.as_json(running.answer(REPORTS[slug], question.scope, question.period, now=moment))

    return ask_for
