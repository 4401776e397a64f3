"""Histories of agents through the verbs, in two projects, with a ledger of what was to be seen after each step."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from reports.tests.people_ledger import Ledger, Pass, SeenRun, SeenStep
from reports.tests.people_steps import SAME, VERBS, Step
from tasks.actions import (
    agents,
    assignments,
    claims,
    lifecycle,
    members,
    offering,
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
from tasks.models import (
    Agent,
    Assignment,
    AssignmentDecision,
    DecisionMode,
    Dependency,
    Event,
    Membership,
    Project,
    Question,
    Role,
    Run,
    Task,
)
from tasks.tests.fake_clock import patch_clock

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
LABELS = ((), ("a",), ("b", "c"), ("a", "b"))


class PeopleWalk:
    """Takes steps and keeps the ledger; a step that the verbs refuse changes nothing but the time.

    Atlas works in both projects.
    """

    def __init__(self, cast: Any, monkeypatch: Any) -> None:
        self.cast, self.now, self.imported = cast, START, 0
        patch_clock(monkeypatch, lambda: self.now)
        self.ledger, self.versions, self.step = Ledger(), 0, ""
        self.same: int | None = None
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
        if place == SAME:
            return fitting.filter(pk=self.same).first()
        if status := VERBS.get(name, (0, ""))[1]:
            fitting = fitting.filter(status=status)
        tasks = list(fitting)
        task = tasks[place % len(tasks)] if tasks else None
        self.same = task.pk if task else None
        return task

    def _new(self, **fields: Any) -> None:
        new = verbs.NewTask(title="A task", **fields)
        self.same = verbs.create_task(actor=self.cast.ada.user, project=self.cast.ops, new=new).pk

    def _of_active(self, task: Task | None, verb: Callable[..., Any], **fields: Any) -> None:
        run = Run.objects.select_related("agent__user").filter(task=task, ended_at=None).first()
        if run is not None:
            verb(actor=run.agent.user, run_id=run.pk, **fields)

    def _of_task(self, task: Task | None, verb: Callable[..., Any], by: Any = None, **fields: Any) -> None:
        if task is not None:
            verb(actor=by or self.cast.root, task=task, **fields)

    def create(self, task: Task | None, actor: Any) -> None:
        self._new()

    def create_reviewed(self, task: Task | None, actor: Any) -> None:
        self._new(review_required=True)

    def release(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, runs.release_run)

    def park(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, questions.ask_run, prompt="Which?", park=True)

    def ask(self, task: Task | None, actor: Any) -> None:
        self._of_active(task, questions.ask_run, prompt="Which?", to="rita")

    def answer(self, task: Task | None, actor: Any) -> None:
        if question := Question.objects.filter(task=task, ended_at=None).first():
            by = self.cast.rita if question.to_user_id else self.cast.ada
            questions.answer_question(actor=by.user, question_id=question.pk, value="This")

    def answer_by_default(self, task: Task | None, actor: Any) -> None:
        """Nobody answers in time."""
        Question.objects.filter(task=task, ended_at=None).update(state="defaulted", ended_at=self.now)

    def approve(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, reviews.approve_task)

    def approve_otherwise(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, reviews.approve_task, by=self.cast.rita.user)

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

    def complete_on_time(self, task: Task | None, actor: Any) -> None:
        """At the very moment at which it is due."""
        if task is not None and task.due_at is not None and task.due_at > self.now:
            self.now = task.due_at
        self.complete(task, actor)

    def take_away(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, assignments.unassign_task, agents=[actor.agent])

    def claim_there(self, task: Task | None, actor: Any) -> None:
        self.claim(task, self.cast.zed.user)

    def claim_by_manager(self, task: Task | None, actor: Any) -> None:
        self.claim(task, self.cast.ada.user)

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

    def create_after(self, task: Task | None, actor: Any) -> None:
        if task is None or task.project_id == self.cast.ops.pk:
            self._new(depends_on=[task] if task else [])
            Dependency.objects.filter(task=self.same).update(created_at=self.now)

    def create_below(self, task: Task | None, actor: Any) -> None:
        if task is None or task.project_id == self.cast.ops.pk:
            self._new(parent=task)

    def create_other(self, task: Task | None, actor: Any) -> None:
        new = verbs.NewTask(title="Elsewhere", labels=["b"])
        self.same = verbs.create_task(actor=self.cast.root, project=self.cast.other, new=new).pk
        waits = verbs.NewTask(title="Waits", depends_on=[Task.objects.get(pk=self.same)])
        created = verbs.create_task(actor=self.cast.root, project=self.cast.other, new=waits)
        Dependency.objects.filter(task=created).update(created_at=self.now)

    def edit_due(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, verbs.edit_task, changes={"due_at": self.now - timedelta(minutes=5)})

    def relabel(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, verbs.edit_task, changes={"labels": LABELS[self.now.minute % len(LABELS)]})

    def assign_both(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, assignments.assign_task, agents=[self.cast.atlas, actor.agent])

    def assign_two(self, task: Task | None, actor: Any) -> None:
        """To two agents that work here; as the last of a walk, so that nobody has begun it."""
        there = Agent.objects.filter(user__memberships__project=self.cast.ops, kind="llm").order_by("pk")
        self._of_task(task, assignments.assign_task, agents=list(there[:2]))

    def _decide(self, task: Task | None, **fields: Any) -> AssignmentDecision:
        return AssignmentDecision(
            task=task, at=self.now, policy="value", policy_version="1", mode=DecisionMode.AUTO, **fields
        )

    def offer(self, task: Task | None, actor: Any) -> None:
        if task is not None:
            score, margin = (self.now.minute + 1) / 8, (self.now.minute - 30) / 16
            decision = self._decide(task, score=score, margin=margin if self.now.minute % 3 else None)
            made = offering.Offer(task.project, task.pk, task.version, self.now + timedelta(minutes=30), decision)
            offering.offer_tasks(actor=None, agent=actor.agent.pk, offers=[made])

    def offer_there(self, task: Task | None, actor: Any) -> None:
        self.offer(task, self.cast.zed.user)

    def find_nobody(self, task: Task | None, actor: Any) -> None:
        if task is not None:
            offering.record_nobody(actor=None, decisions=[self._decide(task)])

    def decline(self, task: Task | None, actor: Any) -> None:
        self._of_task(task, offering.decline_task, by=actor, reason="Too much")

    def lapse(self, task: Task | None, actor: Any) -> None:
        self.now += timedelta(minutes=31)
        offering.lapse_offers()

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
        self._see_assignments()
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

    def _see_assignments(self) -> None:
        seen = self.ledger.assigned
        for each in Assignment.objects.select_related("agent", "task__project").order_by("pk"):
            source, end = seen.get(each.pk, ("", ""))
            about = (each.task.project.key, each.agent.slug, self.now)
            seen[each.pk] = (each.source, each.end_reason)
            # What a file gives to an agent together with its end was never to be done.
            came_ended = not source and each.ended_at == each.created_at
            if each.source != source and each.source in ("manual", "pull") and not came_ended:
                self.ledger.steps.append(SeenStep({"manual": "by_hand", "pull": "pulled"}[each.source], *about))
            if each.end_reason != end and each.end_reason in ("lapsed", "declined"):
                self.ledger.steps.append(SeenStep(each.end_reason, *about))
        made = AssignmentDecision.objects.filter(score__isnull=False).exclude(pk__in=self.ledger.decided)
        for each in made.select_related("agent", "task__project").order_by("pk"):
            self.ledger.decided.add(each.pk)
            about = (each.task.project.key, each.agent.slug, self.now)
            self.ledger.steps.append(SeenStep("offered", *about, score=each.score, margin=each.margin))

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
        if before is not None and before[1] == "in_review" and self.step.startswith(("approve", "request_changes")):
            who = "rita" if self.step == "approve_otherwise" else "root"
            self.ledger.reviews.append((key, who, self.now, self.ledger.in_review[task.pk]))
        if task.status == "in_review":
            self.ledger.in_review[task.pk] = self.now
        if task.status in ("completed", "failed", "cancelled"):
            current.due, current.labels = task.due_at, _labels(task)
            self.ledger.last[task.pk] = current
            if task.status == "completed":
                self._see_completion(task, current, is_new=before is None)

    def _see_completion(self, task: Task, current: Pass, *, is_new: bool) -> None:
        current.completed = task.completed_at if is_new else self.now
        current.project, current.task = task.project.key, task.pk
        current.imported, current.known = is_new, self.step != "import_unknown"
        if is_new:
            slugs = list(task.assignments.values_list("agent__slug", flat=True))
            current.agent = slugs[0] if len(slugs) == 1 else None
            current.whose = {0: "Nobody", 1: ""}.get(len(slugs), "Several")
        self.ledger.done.append((task.project.key, current))


def _labels(task: Task) -> tuple[str, ...]:
    return tuple(task.labels.order_by("name").values_list("name", flat=True))
