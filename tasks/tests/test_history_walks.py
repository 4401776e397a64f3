"""Random walks over all that moves a task, with time passing: afterwards its history equals a rebuild and a recount.

The state machine walks the verbs beside its model; these add imports, edits, holds, start dates, usage, deletion and
the engine, which the model leaves out.
"""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from tasks import engine
from tasks.actions import assignments, claims, dependencies, lifecycle, offering, reviews, runs
from tasks.actions.imports import import_plan
from tasks.actions.questions import answer_question, ask_run, withdraw_question
from tasks.actions.tasks import NewTask, create_task, delete_task, edit_task
from tasks.errors import DomainError
from tasks.formats import json_list
from tasks.models import Episode, Question, Run, StatusInterval, Task
from tasks.tests.fake_clock import fake_clock
from tasks.tests.history_recount import assert_history
from tasks.tests.sizes import HISTORY_STEPS, HISTORY_WALKS

pytestmark = pytest.mark.django_db

__all__ = ["fake_clock"]  # a fixture, used by name

STATUSES = ("not_started", "in_progress", "completed", "cancelled", "completed")


class Walk:
    """One walk: each step is a verb with random arguments, which may be refused."""

    def __init__(self, seed, cast, clock):
        self.dice, self.cast, self.clock = random.Random(seed), cast, clock
        self.staff, self.agents = cast.ada.user, [cast.atlas, cast.bert, cast.hugo]
        self.kept_runs = []

    def task(self):
        return self.dice.choice(list(Task.objects.select_related("project").order_by("pk")))

    def run(self):
        return self.dice.choice(list(Run.objects.active().select_related("agent__user").order_by("number", "task")))

    def usage(self):
        return {"input_tokens": self.dice.randrange(9), "cost": self.dice.choice([0, 0.1, 0.000001, 2.25])}

    def moment(self):
        """A moment of a file, in the past or slightly ahead."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.dice.randrange(400))

    def labels(self):
        return self.dice.sample(["bug", "docs", "ui"], self.dice.randrange(3))

    # Steps

    def create(self):
        others = [self.task() for _ in range(self.dice.randrange(2))] if Task.objects.exists() else []
        new = NewTask(
            title="New",
            depends_on=others,
            parent=self.task() if others and self.dice.random() < 0.3 else None,
            review_required=self.dice.random() < 0.4,
            max_attempts=2,
            start_after=self.clock.time + timedelta(hours=1) if self.dice.random() < 0.2 else None,
            on_hold=self.dice.random() < 0.2,
            priority=self.dice.randrange(1, 5),
            labels=self.labels(),
        )
        create_task(actor=self.staff, project=self.cast.ops, new=new)

    def load(self):
        entries = []
        for key in self.dice.sample("abcdef", 3):
            entry = {"key": key, "title": f"Task {key} {self.dice.randrange(3)}", "status": self.dice.choice(STATUSES)}
            for name in ("created_at", "started_at", "completed_at", "updated_at"):
                if self.dice.random() < 0.5 and (name != "completed_at" or entry["status"] == "completed"):
                    entry[name] = self.moment().isoformat()
            entry["assignees"] = self.dice.sample(["atlas", "bert"], self.dice.randrange(3))
            entry["on_hold"] = self.dice.random() < 0.2
            if self.dice.random() < 0.7:
                entry["labels"] = self.labels()
            entries.append(entry)
        import_plan(actor=None, project=self.cast.ops, plan=json_list.read(json.dumps(entries)))

    def claim(self):
        agent = self.dice.choice(self.agents)
        if agent == self.cast.hugo:
            claims.start_task(actor=agent.user, task=self.task())
        else:
            claims.claim_next(actor=agent.user, projects=[self.cast.ops], limit=2)

    def progress(self):
        run = self.run()
        runs.progress_run(actor=run.agent.user, run_id=run.pk, percent=self.dice.randrange(100), usage=self.usage())

    def ask(self):
        run = self.run()
        ask_run(
            actor=run.agent.user,
            run_id=run.pk,
            prompt="?",
            park=self.dice.random() < 0.7,
            expires_in_seconds=self.dice.choice([None, 60]),
            on_expiry=self.dice.choice(["keep", "fail"]),
        )

    def end_question(self):
        question = self.dice.choice(list(Question.objects.open().order_by("pk")))
        if self.dice.random() < 0.6:
            answer_question(actor=self.staff, question_id=question.pk, value="Yes")
        else:
            withdraw_question(actor=self.staff, question_id=question.pk)

    def complete(self):
        run = self.run()
        self.kept_runs.append(run)
        runs.complete_run(actor=run.agent.user, run_id=run.pk, summary="Done", usage=self.usage())

    def fail(self):
        run = self.run()
        retryable = self.dice.random() < 0.6
        runs.fail_run(
            actor=run.agent.user, run_id=run.pk, code="x", detail="y", retryable=retryable, usage=self.usage()
        )

    def give_back(self):
        run = self.run()
        runs.release_run(actor=run.agent.user, run_id=run.pk)

    def judge(self):
        task = self.dice.choice(list(Task.objects.filter(status="in_review").order_by("pk")))
        if self.dice.random() < 0.5:
            reviews.approve_task(actor=self.cast.rita.user, task=task)
        else:
            reviews.request_changes(actor=self.cast.rita.user, task=task, note="More")

    def complete_late(self):
        run = self.dice.choice(
            list(Run.objects.filter(ended_at__isnull=False).select_related("agent__user").order_by("pk"))
        )
        try:
            runs.complete_run(actor=run.agent.user, run_id=run.pk, summary="Late")
        except DomainError:
            reviews.adopt_late_result(actor=self.staff, run=run)

    def staff_step(self):
        task, agent = self.task(), self.dice.choice(self.agents)
        match self.dice.randrange(7):
            case 0:
                lifecycle.cancel_task(actor=self.staff, task=task)
            case 1 | 2:
                lifecycle.reopen_task(actor=self.staff, task=task)
            case 3:
                lifecycle.release_task(actor=self.staff, task=task)
            case 4:
                assignments.reassign_task(actor=self.staff, task=task, agents=[agent])
            case 5:
                assignments.unassign_task(actor=self.staff, task=task)
            case 6:
                offering.decline_task(actor=agent.user, task=task, reason="No")

    def edit(self):
        changes = {
            "title": f"Other {self.dice.random()}",
            "priority": self.dice.randrange(1, 5),
            "on_hold": self.dice.random() < 0.4,
            "start_after": self.dice.choice([None, self.clock.time + timedelta(minutes=self.dice.randrange(1, 300))]),
            "due_at": self.dice.choice([None, self.clock.time + timedelta(days=9)]),
            "estimate_minutes": self.dice.choice([None, 5]),
            "parent": self.dice.choice([None, self.task()]),
            "labels": self.labels(),
        }
        chosen = self.dice.sample(sorted(changes), self.dice.randrange(1, 4))
        edit_task(actor=self.staff, task=self.task(), changes={name: changes[name] for name in chosen})

    def connect(self):
        verb = self.dice.choice([dependencies.add_dependencies, dependencies.remove_dependencies])
        verb(actor=self.staff, task=self.task(), depends_on=[self.task()])

    def delete(self):
        if self.dice.random() < 0.3:
            delete_task(actor=self.staff, task=self.task())

    def let_time_pass(self):
        self.clock.let_pass(self.dice.choice([0.5, 30, 300, 1200, 7200]))
        engine.tick()

    def step(self):
        steps = [
            self.create, self.load, self.claim, self.claim, self.claim, self.progress, self.ask, self.end_question,
            self.complete, self.complete, self.fail, self.give_back, self.judge, self.judge, self.complete_late,
            self.staff_step, self.staff_step, self.edit, self.edit, self.connect, self.delete, self.let_time_pass,
        ]  # fmt: skip
        self.clock.let_pass(self.dice.random())
        try:
            self.dice.choice(steps)()
        except (DomainError, IndexError):
            # Refused, or there is nothing to take.
            return


@pytest.mark.parametrize("seed", range(HISTORY_WALKS))
def test_history_after_any_walk_equals_a_rebuild_and_a_recount(seed, cast, fake_clock):
    walk = Walk(seed, cast, fake_clock)
    for number in range(HISTORY_STEPS):
        walk.step()
        if number % 40 == 0:
            assert_history()
    assert_history()
    assert StatusInterval.objects.exists()
    assert Episode.objects.exists()
