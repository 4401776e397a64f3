"""Histories of agents through the verbs, in two projects, with a ledger of what was to be seen after each step."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tasks import clock
from tasks.actions import (
    agents,
    assignments,
    claims,
    lifecycle,
    members,
    passing_time,
    projects,
    questions,
    reviews,
    runs,
)
from tasks.actions import tasks as verbs
from tasks.actions.imports import import_plan
from tasks.errors import DomainError
from tasks.formats import json_list
from tasks.models import Agent, Event, Membership, Project, Question, Role, Run, Task

#: Each verb, how often it is tried, and the status of a task that it fits.
VERBS: dict[str, tuple[int, str]] = {
    "create": (4, ""), "create_due": (3, ""), "create_reviewed": (3, ""), "create_other": (2, ""),
    "create_labelled": (1, ""), "claim": (16, "not_started"), "complete": (12, "in_progress"),
    "fail": (4, "in_progress"), "fail_for_good": (2, "in_progress"), "release": (1, "in_progress"),
    "park": (2, "in_progress"),
    "expire": (3, "in_progress"), "stall": (2, ""), "answer": (3, "waiting"), "approve": (4, "in_review"),
    "request_changes": (3, "in_review"), "reopen": (4, "completed"), "cancel": (1, "not_started"), "delete": (1, ""),
    "edit_due": (2, ""), "relabel": (3, ""), "assign_both": (2, "not_started"), "pause": (2, ""), "disable": (2, ""),
    "grow": (2, ""), "renew": (3, ""), "leave": (1, ""), "join": (3, ""), "pause_here": (2, ""),
}  # fmt: skip
IMPORTS = ("import_done", "import_unknown", "import_credited", "import_shared")
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
LABELS = ((), ("a",), ("b", "c"), ("a", "b"))
WHO = ("atlas", "atlas", "bert", "hugo")
#: Verb, place among the tasks that it fits, who, and how many minutes pass before.
Step = tuple[str, int, str, int]


def steps_of(chance: Random, many: int, *, imports: bool = True) -> list[Step]:
    """A walk by chance, which begins with a few tasks."""
    often = {name: times for name, (times, _) in VERBS.items()} | (dict.fromkeys(IMPORTS, 1) if imports else {})
    names = ["create", "create_reviewed", "create_due", *chance.choices(list(often), list(often.values()), k=many)]
    minutes = (0, 1, 7, 7, 30, 30, 55, 400)
    return [(name, chance.randrange(8), chance.choice(WHO), chance.choice(minutes)) for name in names]


@dataclass
class SeenRun:
    """A run as the ledger saw it; ``ended`` None: it is active."""

    agent: str
    project: str
    task: int
    began: datetime
    version: str
    ended: datetime | None = None
    outcome: str = ""
    code: str = ""
    tokens: tuple[int, int] = (0, 0)
    cost: Decimal = Decimal(0)
    labels: tuple[str, ...] = ()


@dataclass
class Pass:
    """A task's way to its completion, as far as the ledger saw it."""

    agent: str | None = None
    version: str = ""
    failed: int = 0
    changes: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    labels: tuple[str, ...] = ()
    due: datetime | None = None
    completed: datetime | None = None
    #: The row of a completion that is not one agent's.
    whose: str = ""
    imported: bool = False
    known: bool = True


@dataclass
class Ledger:
    runs: dict[Any, SeenRun] = field(default_factory=dict)
    open: dict[int, Pass] = field(default_factory=dict)
    done: list[tuple[str, Pass]] = field(default_factory=list)
    last: dict[int, Pass] = field(default_factory=dict)
    reopened: list[tuple[str, datetime, Pass]] = field(default_factory=list)
    stalls: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    status: dict[int, tuple[str, str]] = field(default_factory=dict)
    #: From each moment on: by project, who could be given work, with the capacity.
    could: list[tuple[datetime, dict[str, dict[str, int]]]] = field(default_factory=list)


class PeopleWalk:
    """Takes steps and keeps the ledger; a step that the verbs refuse changes nothing but the time.

    Atlas works in both projects.
    """

    def __init__(self, cast: Any, monkeypatch: Any) -> None:
        self.cast, self.now, self.imported = cast, START, 0
        monkeypatch.setattr(clock, "now", lambda: self.now)
        self.ledger, self.versions, self.step = Ledger(), 0, ""
        Agent.objects.filter(slug="hugo").update(working_hours="Mon-Fri 09:00-17:00", time_zone="Europe/Berlin")
        self._observe()
        projects.set_member(actor=cast.root, project=cast.other, user=cast.atlas.user, role=Role.WORKER)
        self._observe()

    def take(self, steps: Iterable[Step]) -> None:
        for name, place, who, minutes in steps:
            self.now += timedelta(minutes=minutes)
            self.step = name
            agent = Agent.objects.select_related("user").get(slug=who)
            with suppress(DomainError):
                getattr(self, name)(self._task(name, place), agent.user)
            self._observe()

    # Steps

    def _task(self, name: str, place: int) -> Task | None:
        fitting = Task.objects.select_related("project").order_by("pk")
        if status := VERBS.get(name, (0, ""))[1]:
            fitting = fitting.filter(status=status)
        tasks = list(fitting)
        return tasks[place % len(tasks)] if tasks else None

    def _new(self, **fields: Any) -> None:
        new = verbs.NewTask(title="A task", **fields)
        verbs.create_task(actor=self.cast.ada.user, project=self.cast.ops, new=new)

    def _of_active(self, task: Task | None, verb: Callable[..., Any], **fields: Any) -> None:
        run = Run.objects.select_related("agent__user").filter(task=task, ended_at=None).first()
        if run is not None:
            verb(actor=run.agent.user, run_id=run.pk, **fields)

    def _of_task(self, task: Task | None, verb: Callable[..., Any], **fields: Any) -> None:
        if task is not None:
            verb(actor=self.cast.root, task=task, **fields)

    def create(self, task: Task | None, actor: Any) -> None:
        self._new()

    def create_reviewed(self, task: Task | None, actor: Any) -> None:
        self._new(review_required=True)

    def release(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.release_run)

    def park(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, questions.ask_run, prompt="Which?", park=True)

    def answer(self, task: Task | None, actor: Any) -> None:
        if question := Question.objects.filter(task=task, ended_at=None).first():
            questions.answer_question(actor=self.cast.ada.user, question_id=question.pk, value="This")

    def approve(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, reviews.approve_task)

    def reopen(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, lifecycle.reopen_task)

    def cancel(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, lifecycle.cancel_task)

    def delete(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, verbs.delete_task)

    def expire(self, task: Task | None, actor: Any) -> None:
        if run := Run.objects.filter(task=task, ended_at=None).first():
            Run.objects.filter(pk=run.pk).update(lease_expires_at=self.now - timedelta(hours=1))
            run.refresh_from_db()
            passing_time.expire_run(run=run)

    def _usage(self) -> dict[str, Any]:
        return {"input_tokens": 10 + self.versions, "output_tokens": 3, "cost": 0.25 + self.versions / 1000}

    def complete(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.complete_run, summary="done", usage=self._usage())

    def fail(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.fail_run, code="x", detail="y", retryable=True, usage=self._usage())

    def fail_for_good(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.fail_run, code="broken", detail="y", retryable=False)

    def claim(self, task: Task | None, actor: Any) -> None:
        if task and actor.agent.kind == "human":
            claims.start_task(actor=actor, task=task)
        elif task:
            claims.claim_task(actor=actor, task=task, lease_seconds=14_400)

    def request_changes(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, reviews.request_changes, note="Again")

    def create_due(self, task: Task | None, actor: Any) -> None:
        self._new(due_at=self.now + timedelta(minutes=40), labels=["b"])

    def create_labelled(self, task: Task | None, actor: Any) -> None:
        self._new(labels=["a", "b"])

    def create_other(self, task: Task | None, actor: Any) -> None:
        verbs.create_task(actor=self.cast.root, project=self.cast.other, new=verbs.NewTask(title="Elsewhere"))

    def edit_due(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, verbs.edit_task, changes={"due_at": self.now - timedelta(minutes=5)})

    def relabel(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, verbs.edit_task, changes={"labels": LABELS[self.now.minute % len(LABELS)]})

    def assign_both(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, assignments.assign_task, agents=[self.cast.atlas, actor.agent])

    def stall(self, task: Task | None, actor: Any) -> None:
        passing_time.report_stalled()

    def _edit(self, actor: Any, **changes: Any) -> None:
        agents.edit_agent(actor=self.cast.root, agent=actor.agent, changes=changes)

    def pause(self, task: Task | None, actor: Any) -> None:
        self._edit(actor, availability="available" if actor.agent.availability == "paused" else "paused")

    def disable(self, task: Task | None, actor: Any) -> None:
        self._edit(actor, enabled=not actor.agent.enabled)

    def grow(self, task: Task | None, actor: Any) -> None:
        self._edit(actor, max_concurrent=actor.agent.max_concurrent % 12 + 1)

    def renew(self, task: Task | None, actor: Any) -> None:
        self.versions += 1
        self._edit(actor, version=f"v{self.versions}")

    def leave(self, task: Task | None, actor: Any) -> None:
        projects.remove_member(actor=self.cast.root, project=self.cast.ops, user=actor)

    def join(self, task: Task | None, actor: Any) -> None:
        projects.set_member(actor=self.cast.root, project=self.cast.ops, user=actor, role=Role.WORKER)

    def pause_here(self, task: Task | None, actor: Any) -> None:
        member = Membership.objects.filter(project=self.cast.ops, user=actor).first()
        if member is not None:
            paused = member.paused_at is None
            members.pause_member(actor=self.cast.root, project=self.cast.ops, agent=actor.agent, paused=paused)

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

    def import_unknown(self, task: Task | None, actor: Any) -> None:
        self._import(status="completed")

    def import_credited(self, task: Task | None, actor: Any) -> None:
        self._done_by([actor.agent.slug])

    def import_shared(self, task: Task | None, actor: Any) -> None:
        self._done_by(["atlas", "bert"])

    def _done_by(self, slugs: list[str]) -> None:
        if Membership.objects.filter(project=self.cast.ops, user__agent__slug__in=slugs).count() == len(slugs):
            times = {"created_at": self._iso(hours=30), "completed_at": self._iso(hours=2)}
            self._import(status="completed", assignees=slugs, **times)

    # What is to be seen

    def _observe(self) -> None:
        self._see_agents()
        self._see_runs()
        for task in Task.objects.select_related("project").order_by("pk"):
            self._see_task(task)
        for event in Event.objects.filter(kind="task.stalled").order_by("id")[len(self.ledger.stalls) :]:
            run = next(run for run in self.ledger.runs.values() if run.task == event.task_id and run.ended is None)
            self.ledger.stalls.append((run.agent, run.project, event.at, run.version))

    def _see_agents(self) -> None:
        could: dict[str, dict[str, int]] = {}
        for project in Project.objects.all():
            there = Membership.objects.filter(project=project, paused_at=None).exclude(role="viewer")
            able = Agent.objects.filter(user__memberships__in=there, enabled=True, availability="available")
            could[project.key] = dict(able.values_list("slug", "max_concurrent"))
        self.ledger.could.append((self.now, could))

    def _see_runs(self) -> None:
        for run in Run.objects.select_related("agent", "task__project").order_by("started_at", "number"):
            seen = self.ledger.runs.get(run.pk)
            if seen is None:
                seen = self.ledger.runs[run.pk] = SeenRun(
                    run.agent.slug, run.task.project.key, run.task_id, run.started_at, run.agent.version
                )
                current = self.ledger.open.setdefault(run.task_id, Pass())
                current.agent, current.version = seen.agent, seen.version
            if run.ended_at is not None and seen.ended is None:
                seen.ended, seen.outcome = run.ended_at, run.status
                seen.labels = _labels(run.task)
                seen.code = (run.failure or {}).get("code", "")
                seen.tokens, seen.cost = (run.input_tokens, run.output_tokens), run.cost
                current = self.ledger.open[run.task_id]
                current.failed += run.status == "failed"
                current.tokens += sum(seen.tokens)
                current.cost += seen.cost

    def _see_task(self, task: Task) -> None:
        key = task.project.key
        before = self.ledger.status.get(task.pk)
        self.ledger.status[task.pk] = (key, task.status)
        if before is not None and before[1] == task.status:
            return
        if before is not None and before[1] in ("completed", "failed", "cancelled"):
            former = self.ledger.last[task.pk]
            if before[1] == "completed":
                self.ledger.reopened.append((key, self.now, former))
            self.ledger.open[task.pk] = Pass()
        current = self.ledger.open.setdefault(task.pk, Pass())
        if before is not None and (before[1], task.status) == ("in_review", "not_started"):
            current.changes += 1
        if task.status in ("completed", "failed", "cancelled"):
            current.due, current.labels = task.due_at, _labels(task)
            self.ledger.last[task.pk] = current
            if task.status == "completed":
                self._see_completion(task, current, is_new=before is None)

    def _see_completion(self, task: Task, current: Pass, *, is_new: bool) -> None:
        current.completed = task.completed_at if is_new else self.now
        current.imported, current.known = is_new, self.step != "import_unknown"
        if is_new:
            slugs = list(task.assignments.values_list("agent__slug", flat=True))
            current.agent = slugs[0] if len(slugs) == 1 else None
            current.whose = {0: "Nobody", 1: ""}.get(len(slugs), "Several")
        self.ledger.done.append((task.project.key, current))


def _labels(task: Task) -> tuple[str, ...]:
    return tuple(task.labels.order_by("name").values_list("name", flat=True))
