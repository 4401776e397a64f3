"""Histories of tasks through the verbs, at times that a test sets, and the same history in plain Python."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies

from tasks.actions import claims, lifecycle, passing_time, questions, reviews, runs
from tasks.actions import tasks as verbs
from tasks.actions.imports import import_plan
from tasks.errors import DomainError
from tasks.formats import json_list
from tasks.models import Question, Run, RunStatus, Task
from tasks.tests.fake_clock import patch_clock

START = datetime(2026, 1, 5, 8, tzinfo=UTC)

_common = ("create", "create", "claim", "claim", "complete", "finish", "finish", "finish")
_others = (
    "create_after", "create_later", "create_reviewed", "lose", "lose", "fail", "release", "park", "answer", "approve",
    "request_changes", "reopen", "cancel", "delete", "hold", "unhold", "edit", "relabel", "wake", "expire", "adopt",
    "fail_for_good",
)  # fmt: skip
_imports = ("import_done", "import_open", "import_unknown", "import_implied")


#: In which statuses a verb has something to do; of the others, in any.
_FITS = {
    "claim": ("not_started",),
    "complete": ("in_progress",),
    "finish": ("not_started",),
    "lose": ("not_started",),
    "fail": ("in_progress",),
    "fail_for_good": ("in_progress",),
    "release": ("in_progress",),
    "park": ("in_progress",),
    "expire": ("in_progress",),
    "answer": ("waiting",),
    "approve": ("in_review",),
    "request_changes": ("in_review",),
    "reopen": ("completed", "failed", "cancelled"),
    "adopt": ("failed",),
    "hold": ("not_started",),
    "unhold": ("not_started",),
}


def walks(*, steps: int, imports: bool = True) -> Any:
    """A list of steps: a verb, the place of a task, who, and how many minutes pass before."""
    names = [*_common, *_others, *(_imports if imports else ())]
    step = strategies.tuples(
        strategies.sampled_from(names),
        strategies.integers(0, 7),
        strategies.sampled_from(["atlas", "bert"]),
        strategies.sampled_from([0, 1, 7, 30, 55, 400, 1_500]),
    )
    return strategies.lists(step, min_size=steps, max_size=steps)


def steps_of(chance: Random, many: int) -> list[tuple[str, int, str]]:
    """So many by chance: a verb, the place of a task, and who."""
    names = [*_common, *_others, *_imports]
    return [(chance.choice(names), chance.randrange(8), chance.choice(["atlas", "bert"])) for _ in range(many)]


class Walk:
    """Takes steps; a step that the verbs refuse changes nothing but the time."""

    def __init__(self, cast: Any, monkeypatch: Any) -> None:
        self.cast, self.now, self.imported = cast, START, 0
        patch_clock(monkeypatch, lambda: self.now)

    def take(self, steps: Iterable[tuple[str, int, str, int]]) -> None:
        for name, place, who, minutes in steps:
            self.now += timedelta(minutes=minutes)
            agent = getattr(self.cast, who)
            try:
                getattr(self, name)(self._task(name, place), agent.user)
            except DomainError:
                continue

    def _task(self, name: str, place: int) -> Task | None:
        tasks = Task.objects.select_related("project").order_by("pk")
        if name in _FITS:
            tasks = tasks.filter(status__in=_FITS[name])
        tasks = list(tasks)
        return tasks[place % len(tasks)] if tasks else None

    def _run(self, task: Task | None, **conditions: Any) -> Run | None:
        return Run.objects.select_related("agent__user").filter(task=task, **conditions).order_by("-started_at").first()

    def _new(self, **fields: Any) -> None:
        new = verbs.NewTask(title="A task", **fields)
        verbs.create_task(actor=self.cast.ada.user, project=self.cast.ops, new=new)

    def create(self, task: Task | None, actor: Any) -> None:
        self._new()

    def create_after(self, task: Task | None, actor: Any) -> None:
        self._new(depends_on=[task] if task else [])

    def create_later(self, task: Task | None, actor: Any) -> None:
        self._new(start_after=self.now + timedelta(minutes=45))

    def create_reviewed(self, task: Task | None, actor: Any) -> None:
        self._new(review_required=True)

    def claim(self, task: Task | None, actor: Any) -> None:
        if task:
            claims.claim_task(actor=actor, task=task, lease_seconds=60)

    def _of_active(self, task: Task | None, verb: Callable[..., Any], **fields: Any) -> None:
        if run := self._run(task, ended_at=None):
            verb(actor=run.agent.user, run_id=run.pk, **fields)

    def complete(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.complete_run, summary="done")

    def fail(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.fail_run, code="x", detail="y", retryable=True)

    def fail_for_good(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.fail_run, code="x", detail="y", retryable=False)

    def release(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.release_run)

    def park(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, questions.ask_run, prompt="Which?", park=True)

    def answer(self, task: Task | None, actor: Any) -> None:
        if question := Question.objects.filter(task=task, ended_at=None).first():
            questions.answer_question(actor=self.cast.ada.user, question_id=question.pk, value="This")

    def approve(self, task: Task | None, actor: Any) -> None:
        if task:
            reviews.approve_task(actor=self.cast.rita.user, task=task)

    def request_changes(self, task: Task | None, actor: Any) -> None:
        if task:
            reviews.request_changes(actor=self.cast.rita.user, task=task, note="Again")

    def reopen(self, task: Task | None, actor: Any) -> None:
        if task:
            lifecycle.reopen_task(actor=self.cast.ada.user, task=task)

    def cancel(self, task: Task | None, actor: Any) -> None:
        if task:
            lifecycle.cancel_task(actor=self.cast.ada.user, task=task)

    def delete(self, task: Task | None, actor: Any) -> None:
        if task:
            verbs.delete_task(actor=self.cast.ada.user, task=task)

    def hold(self, task: Task | None, actor: Any) -> None:
        if task:
            verbs.hold_task(actor=self.cast.ada.user, task=task)

    def unhold(self, task: Task | None, actor: Any) -> None:
        if task:
            verbs.unhold_task(actor=self.cast.ada.user, task=task)

    def edit(self, task: Task | None, actor: Any) -> None:
        if task:
            verbs.edit_task(actor=self.cast.ada.user, task=task, changes={"priority": 4, "estimate_minutes": 90})

    def relabel(self, task: Task | None, actor: Any) -> None:
        if task:
            labels = [["ui"], [], ["bug", "docs"]][self.now.minute % 3]
            verbs.edit_task(actor=self.cast.ada.user, task=task, changes={"labels": labels})

    def wake(self, task: Task | None, actor: Any) -> None:
        passing_time.wake_deferred()

    def expire(self, task: Task | None, actor: Any) -> None:
        if run := self._run(task, ended_at=None):
            Run.objects.filter(pk=run.pk).update(lease_expires_at=self.now - timedelta(hours=1))
            run.refresh_from_db()
            passing_time.expire_run(run=run)

    def finish(self, task: Task | None, actor: Any) -> None:
        self.claim(task, actor)
        self.now += timedelta(minutes=12 + self.now.minute)
        self.complete(task, actor)

    def lose(self, task: Task | None, actor: Any) -> None:
        """Its lease ends, it fails for good under another, and only then does the result of the first arrive."""
        self.claim(task, actor)
        if first := self._run(task, ended_at=None):
            self.now += timedelta(minutes=2)
            self.expire(task, actor)
            # It rests before the next try.
            self.now += timedelta(hours=2)
            self.wake(task, actor)
            self.claim(task, actor)
            self.now += timedelta(minutes=9)
            self.fail_for_good(task, actor)
            runs.complete_run(actor=first.agent.user, run_id=first.pk, summary="late")

    def adopt(self, task: Task | None, actor: Any) -> None:
        if run := self._run(task, status=RunStatus.EXPIRED, late_result__isnull=False):
            reviews.adopt_late_result(actor=self.cast.ada.user, run=run)

    # Files

    def _import(self, **entry: Any) -> None:
        self.imported += 1
        entry = {"key": f"x{self.imported}", "title": "From a file", **entry}
        import_plan(actor=None, project=self.cast.ops, plan=json_list.read(json.dumps([entry])))

    def _iso(self, **ago: int) -> str:
        return (self.now - timedelta(**ago)).isoformat()

    def import_done(self, task: Task | None, actor: Any) -> None:
        times = {
            "created_at": self._iso(hours=30),
            "started_at": self._iso(hours=20),
            "completed_at": self._iso(hours=9),
        }
        self._import(status="completed", **times)

    def import_implied(self, task: Task | None, actor: Any) -> None:
        self._import(status="completed", created_at=self._iso(hours=30), updated_at=self._iso(hours=7))

    def import_unknown(self, task: Task | None, actor: Any) -> None:
        self._import(status="completed")

    def import_open(self, task: Task | None, actor: Any) -> None:
        self._import(status="not_started", created_at=self._iso(hours=50))
