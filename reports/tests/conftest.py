"""A clock that tests set by hand, and tasks completed at chosen times."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from reports import exports, parameters, running
from reports.predefined import REPORTS
from tasks import clock
from tasks.actions import claims, questions, runs
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import AssignmentDecision, DecisionMode, Project, Question, Task
from tasks.transitions import Status

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    """``utc("2026-01-05 10:00")``: an aware time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def set_clock(monkeypatch) -> Callable[[str], datetime]:
    """``set_clock("2026-01-05 10:00")``: for every verb it is now this time, in UTC."""

    def set_to(text: str) -> datetime:
        moment = utc(text)
        monkeypatch.setattr(clock, "now", lambda: moment)
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
        offer = {"policy": "value", "policy_version": "1", "mode": DecisionMode.AUTO, "score": 2.0, "margin": 0.5}
        AssignmentDecision.objects.create(task=waits, at=clock.now(), agent=cast.atlas, **offer)

    return do


@pytest.fixture
def import_completed(cast, set_clock):
    """``import_completed("created", "started" or None, "completed", at="…")``: an imported task, done elsewhere."""

    def bring_in(created: str, started: str | None, completed: str, *, at: str = "2026-03-01 00:00") -> Task:
        now = set_clock(at)
        number = Project.objects.get(pk=cast.ops.pk).last_number + 1
        Project.objects.filter(pk=cast.ops.pk).update(last_number=number)
        task = Task.objects.create(
            project=cast.ops,
            number=number,
            title="From a file",
            status=Status.COMPLETED,
            created_at=utc(created),
            updated_at=now,
            started_at=utc(started) if started else None,
            completed_at=utc(completed),
        )
        iso = utc(completed).isoformat().replace("+00:00", "Z")
        file = {"title": task.title, "source": "csv", "fingerprint": "", "to": "completed", "completed_at": iso}
        record(event(kinds.TASK_IMPORTED, at=now, actor=None, task=task, **file))
        task.refresh_from_db()
        return task

    return bring_in


@pytest.fixture
def ask(cast):
    """``ask("completed", "from=…&to=…", user=…, now="…")`` → the answer as the API gives it."""

    def ask_for(slug: str, query: str = "", *, user=None, now: str = "2026-06-01 12:00") -> dict:
        moment = utc(now)
        question = parameters.read_question(QueryDict(query), user=user or cast.ada.user, now=moment)
        return exports.as_json(running.answer(REPORTS[slug], question.scope, question.period, now=moment))

    return ask_for
