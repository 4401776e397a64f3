"""Rows of all kinds in two projects by chance, for definitions to count: more than verbs would ever leave together."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from reports.tests.conftest import utc
from reports.tests.histories import label_set_of
from tasks.models import (
    AskedQuestion,
    Assignment,
    AssignmentStep,
    Episode,
    Event,
    Label,
    LabelSet,
    Project,
    Run,
    StatusInterval,
    Task,
)

START = utc("2026-01-01 00:00")
STATUSES = ["not_started", "in_progress", "waiting", "in_review", "completed", "failed", "cancelled"]
OUTCOMES = ["completed", "completed", "failed", "released", "expired", "revoked", "cancelled", "parked"]
REASONS = ["", "elsewhere", "dependency", "on_hold", "deferred", "no_agent", "answer", "review"]
KINDS = ["task.created", "task.status_changed", "task.stalled", "question.asked", "member.added"]
VERSIONS = ["", "1.0", "2.0"]
LABELS = ["bug", "Docs", "ui"]
TASKS = 24
#: Ids of tasks that are deleted.
GONE = 900_000


class World:
    """``World(cast, seed).fill()``: tasks and what became of them, those of deleted tasks too, to the microsecond.

    ``projects``: in which; by default two of three are in OPS, the others in OTHER.
    """

    def __init__(self, cast: SimpleNamespace, seed: int, projects: Sequence[Project] = ()) -> None:
        self.cast, self.draw = cast, random.Random(seed)
        self.projects = list(projects) or [cast.ops, cast.ops, cast.other]
        self.gone = GONE * seed
        self.tasks: list[Task] = []
        self.runs: list[Run] = []
        self.label_sets: dict[Project, list[LabelSet | None]] = {}

    def fill(self) -> None:
        self._fill_tasks()
        self._fill_runs()
        self._fill_label_sets()
        self._fill_history()
        self._fill_questions()
        self._fill_events()
        self._fill_steps()

    def _after(self, moment: datetime, days: float) -> datetime:
        return moment + timedelta(microseconds=self.draw.randrange(int(days * 86_400_000_000)))

    def _agent(self, project: Project):
        cast = self.cast
        return self.draw.choice([cast.atlas, cast.bert, cast.hugo] if project == cast.ops else [cast.zed, cast.atlas])

    def _person(self):
        cast = self.cast
        return self.draw.choice([None, cast.root, cast.ada.user, cast.mona.user, cast.vera, cast.atlas.user])

    def _money(self) -> Decimal:
        return Decimal(self.draw.randrange(10**9)) / 10**6

    def _fill_tasks(self) -> None:
        draw = self.draw
        labels = {
            project: [Label.objects.get_or_create(project=project, name=name)[0] for name in LABELS]
            for project in self.projects
        }
        for number in range(1, TASKS + 1):
            created = self._after(START, 120)
            status = draw.choice(STATUSES)
            began = self._after(created, 3)
            self.tasks.append(
                Task(
                    project=draw.choice(self.projects), number=1_000 + number, title="A task",
                    status=status, priority=draw.randint(1, 4), due_at=draw.choice([None, self._after(created, 40)]),
                    on_hold=draw.random() < 0.3, open_blockers=draw.choice([0, 0, 1, 2]),
                    estimate_minutes=draw.choice([None, 15, 90]), review_required=draw.random() < 0.4,
                    attempts=draw.randint(0, 2), lease_losses=draw.randint(0, 1), run_count=draw.randint(0, 4),
                    open_questions=draw.randint(0, 2), progress_percent=draw.choice([0, 50]),
                    created_by=self._person(), created_at=created, updated_at=self._after(created, 20),
                    started_at=None if status == "not_started" else began,
                    completed_at=self._after(began, 9) if status in ("completed", "failed") else None,
                )
            )  # fmt: skip
        Task.objects.bulk_create(self.tasks)
        for task in self.tasks:
            task.labels.set(draw.sample(labels[task.project], draw.choice([0, 1, 1, 2])))
            agents = {self._agent(task.project) for _ in range(draw.choice([0, 1, 2, 2]))}
            for agent in sorted(agents, key=lambda agent: agent.slug):
                reason = draw.choice(["", "", "closed", "unassigned", "lapsed"])
                Assignment.objects.create(
                    task=task, agent=agent, created_at=task.created_at, end_reason=reason,
                    ended_at=task.updated_at if reason else None, source=draw.choice(["manual", "auto", "pull"]),
                    accept_by=draw.choice([None, task.updated_at]),
                )  # fmt: skip

    def _fill_runs(self) -> None:
        for number in range(1, 2 * TASKS):
            task = self.draw.choice(self.tasks)
            began = self._after(task.created_at, 5)
            is_active = task.pk not in {run.task_id for run in self.runs} and self.draw.random() < 0.2
            ended = None if is_active else self._after(began, 2)
            self.runs.append(
                Run(
                    task=task, agent=self._agent(task.project), number=number, started_at=began, ended_at=ended,
                    status=self.draw.choice(OUTCOMES) if ended else "active", last_heartbeat_at=began,
                    last_progress_at=began,
                )
            )  # fmt: skip
        Run.objects.bulk_create(self.runs)

    def _fill_label_sets(self) -> None:
        for project in dict.fromkeys(self.projects):
            for names in (["bug"], ["Docs", "ui"], LABELS):
                self.label_sets.setdefault(project, [None]).append(label_set_of(project, names))

    def _fill_history(self) -> None:
        draw = self.draw
        episodes: list[Episode] = []
        intervals: list[StatusInterval] = []
        numbers: dict[int, int] = {}
        is_open: set[int] = set()
        for place in range(4 * TASKS):
            task = draw.choice([*self.tasks, None])
            project = task.project if task else draw.choice(self.projects)
            of = {
                "project": project, "task_id": task.pk if task else self.gone + place,
                "task_ref": f"{project.key}-{task.number if task else self.gone + place}",
            }  # fmt: skip
            entered = self._after(START, 140)
            number = numbers[of["task_id"]] = numbers.get(of["task_id"], 0) + 1
            if number > 1 and draw.random() < 0.3:
                # It goes on with the former one.
                entered = next(each.entered_at for each in episodes[::-1] if each.task_id == of["task_id"])
            began = draw.choice([None, self._after(entered, 3)])
            end = draw.choice(["completed", "completed", "completed", "failed", "cancelled", "deleted", ""])
            if of["task_id"] in is_open:
                end = end or "completed"
            if not end:
                is_open.add(of["task_id"])
            due = self._after(entered, 6)
            ended = self._after(began or entered, 9)
            episodes.append(
                Episode(
                    **of, number=number, is_reopened=draw.random() < 0.2, is_imported=draw.random() < 0.2,
                    entered_at=entered, entered_from=draw.choice(["here", "here", "given", "inferred", "unknown"]),
                    # Completed on the very instant of the due date too.
                    due_at=draw.choice([None, due, ended]), started_at=began, ended_at=ended if end else None, end=end,
                    ended_from=draw.choice(["here", "here", "inferred", "unknown"]) if end else "",
                    agent=draw.choice([None, self._agent(project)]), version=draw.choice(VERSIONS),
                    credit=draw.choice(["agent", "several", "nobody"]) if end == "completed" else "",
                    priority=draw.randint(1, 4), estimate_minutes=draw.choice([None, 15, 90]),
                    runs=draw.randint(0, 3), failed_runs=draw.randint(0, 1), changes_requested=draw.randint(0, 1),
                    worked_seconds=round(draw.random() * 10_000, 6), cost=self._money(),
                    input_tokens=draw.randrange(10**6), output_tokens=draw.randrange(10**4),
                    label_set=draw.choice(self.label_sets[project]), created_by=draw.choice(["", "ada", "atlas"]),
                )
            )  # fmt: skip
            status = draw.choice(["in_progress", "in_progress", *["in_review"] * 3, *STATUSES[:4]])
            stays = not end and draw.random() < 0.8
            is_run = status == "in_progress" and (place % 12 or project != self.cast.ops)
            intervals.append(
                StatusInterval(
                    **of, episode=number, status=status, began_at=entered, version=draw.choice(VERSIONS),
                    ended_at=None if stays else self._after(entered, 2),
                    agent=draw.choice([None, self._agent(project)]),
                    reason="" if status == "in_progress" else draw.choice(REASONS),
                    run_number=place + 1 if is_run else None, is_pulled=is_run and place % 2 == 0,
                    outcome="" if stays or status != "in_progress" else draw.choice(OUTCOMES),
                    code=draw.choice(["", "", "oom", "Timeout"]), cost=self._money(),
                    input_tokens=draw.randrange(10**6), output_tokens=draw.randrange(10**4),
                    priority=draw.randint(1, 4), label_set=draw.choice(self.label_sets[project]),
                    **self._verdict() if status == "in_review" and not stays else {},
                )
            )  # fmt: skip
        Episode.objects.bulk_create(episodes)
        StatusInterval.objects.bulk_create(intervals)

    def _verdict(self) -> dict[str, str]:
        verdict = self.draw.choice(["", "approved", "approved", "changes_requested"])
        return {"verdict": verdict, "reviewer": self.draw.choice(["ada", "vera"]) if verdict else ""}

    def _fill_questions(self) -> None:
        draw = self.draw
        for number, run in enumerate(self.runs, 1):
            asked = self._after(run.started_at, 1)
            state = draw.choice(["open", "answered", "answered", "defaulted", "withdrawn", "superseded", "failed"])
            project, is_there = run.task.project, draw.random() < 0.8
            AskedQuestion.objects.create(
                project=project, task_id=run.task_id if is_there else self.gone + number, question=self.gone + number,
                task_ref=f"{project.key}-{run.task.number if is_there else self.gone + number}", agent=run.agent,
                kind=draw.choice(["text", "choice", "confirm", "form"]), asked_at=asked, state=state,
                ended_at=None if state == "open" else self._after(asked, 4), urgency=draw.randint(1, 4),
                to_role=draw.choice(["", "worker", "reviewer", "manager"]), priority=draw.randint(1, 4),
                label_set=draw.choice(self.label_sets[project]),
                answered_by=self._person() if state == "answered" else None,
            )  # fmt: skip

    def _fill_events(self) -> None:
        draw = self.draw
        for place in range(3 * TASKS):
            project = draw.choice(self.projects)
            theirs = [task.pk for task in self.tasks if task.project == project]
            agent, kind = self._agent(project), draw.choice(KINDS)
            data = draw.choice([{}, {"run": draw.randint(1, 4 * TASKS)}])
            if kind == "member.added":
                data = {"role": "worker"}
            Event.objects.create(
                at=self._after(START, 140), project=project, project_key=project.key,
                task_id=draw.choice([*theirs, None, self.gone + place]), kind=kind, data=data,
                actor_id=agent.user_id, agent_id=draw.choice([None, agent.pk, GONE]),
                agent_slug=draw.choice(["", agent.slug]), actor_name=draw.choice(["", "ada", "Zoe"]),
                recipient_id=draw.choice([None, None, None, agent.user_id]),
            )  # fmt: skip

    def _fill_steps(self) -> None:
        draw = self.draw
        for place in range(3 * TASKS):
            task, step = draw.choice(self.tasks), draw.choice(["offered", "offered", "by_hand", "lapsed", "declined"])
            is_there, is_offer = draw.random() < 0.8, step == "offered"
            AssignmentStep.objects.create(
                project=task.project, task_id=task.pk if is_there else self.gone + place, step=step,
                task_ref=f"{task.project.key}-{task.number if is_there else self.gone + place}",
                agent_id=draw.choice([self._agent(task.project).pk, self._agent(task.project).pk, GONE]),
                at=self._after(START, 140), label_set=draw.choice(self.label_sets[task.project]),
                score=draw.randrange(10**7) / 10**6 if is_offer else None,
                # The runner-up may score better.
                margin=draw.choice([None, draw.randrange(-(10**6), 10**6) / 10**6]) if is_offer else None,
            )  # fmt: skip
