"""What past runs and reviews say about agents: outcomes and pace per skill, weighted by age. Read-only."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from taskproject.prepared.querysets import prepared
from tasks.matching.facts import Evidence
from tasks.models import Agent, RequiredSkill, Review, Run, RunStatus, Task, Verdict
from tasks.transitions import Status

HALF_LIFE = timedelta(days=30)
#: The share of earlier evidence that a new model version of an agent keeps.
KEPT_BY_NEW_VERSION = 0.3
#: At most this many runs of an agent are read, and none older: what is older than six half-lives hardly counts.
RUNS = 200
OLDEST = timedelta(days=180)
#: Agents read at a time, and ids in one query.
AGENTS_AT_ONCE, SLICE = 100, 5_000
#: Projects whose pace is read by one statement.
PROJECTS_AT_ONCE = 25
#: More than the runs of ``COMPLETED_TASKS`` tasks in each of them.
ALL_OF_THEM = 10_000_000
#: Expected for a task without an estimate in a project that has completed nothing yet.
HOURS = 1.0
COMPLETED_TASKS = 200
#: One outlier must not make an agent look a thousand times as fast or slow.
LEAST_PACE, MOST_PACE = 0.05, 20.0

_COUNTED = Q(status__in=(RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.EXPIRED)) | Q(adopted_at__isnull=False)

Learned = Mapping[int | None, Evidence]


@dataclass
class _Sums:
    accepted: float = 0.0
    rejected: float = 0.0
    pace: float = 0.0
    paced: float = 0.0

    def as_evidence(self) -> Evidence:
        return Evidence(self.accepted, self.rejected, self.pace, self.paced)


@dataclass
class Experience:
    """Evidence per agent and hours per project, cached until forgotten, so that a tick costs next to nothing.

    With ``projects`` (ids) only runs in them count: what a manager of only these projects may know.
    """

    projects: Collection[int] | None = None
    _evidence: dict[int, Learned] = field(default_factory=dict)
    _hours: dict[int, float] = field(default_factory=dict)
    _read_at: datetime | None = None

    def forget(self, agents: Iterable[int] = (), projects: Iterable[int] = ()) -> None:
        """Read these agents again when next needed, because a run of theirs ended or was judged."""
        for agent in agents:
            self._evidence.pop(agent, None)
        for project in projects:
            self._hours.pop(project, None)

    def forget_old(self, now: datetime, *, after: timedelta) -> None:
        """Forget everything periodically, so that nothing missed stays wrong and evidence keeps decaying."""
        if self._read_at is None or now - self._read_at > after:
            self._evidence.clear()
            self._hours.clear()
            self._read_at = now

    def of(self, agents: Collection[int], now: datetime) -> Mapping[int, Learned]:
        """Evidence per agent (by id) and skill (by id; None: all runs)."""
        missing = [agent for agent in agents if agent not in self._evidence]
        for start in range(0, len(missing), AGENTS_AT_ONCE):
            self._evidence |= _read_evidence(missing[start : start + AGENTS_AT_ONCE], now, self)
        return self._evidence

    def hours_of(self, projects: Iterable[int]) -> Mapping[int, float]:
        """The mean hours of recently completed work, per project (by id)."""
        missing = [project for project in projects if project not in self._hours]
        for start in range(0, len(missing), PROJECTS_AT_ONCE):
            self._hours |= _mean_hours(missing[start : start + PROJECTS_AT_ONCE])
        return self._hours


@prepared
def _recent_runs(project: Any) -> QuerySet[Run, Any]:
    """The completed runs of the tasks that the project completed last: of which project, and from when until when."""
    # Not by the tasks' ids: for a list of two thousand, PostgreSQL reads all runs.
    done = Task.objects.filter(project=project, completed_at__isnull=False).order_by("-completed_at")
    runs = Run.objects.filter(task__in=done.values("pk")[:COMPLETED_TASKS], status=RunStatus.COMPLETED)
    return runs.order_by().values_list("task__project", "task", "number", "started_at", "ended_at")


def _mean_hours(projects: Sequence[int]) -> dict[int, float]:
    hours: dict[int, list[float]] = {project: [] for project in projects}
    each_project = [{"project": project} for project in projects]
    for project, _, _, started, ended in _recent_runs.merged(each_project, order="2 DESC, 3", most=ALL_OF_THEM):
        if ended is not None:
            hours[project].append((ended - started).total_seconds() / 3600)
    return {project: max(sum(each) / len(each), 1 / 60) if each else HOURS for project, each in hours.items()}


def _read_evidence(agents: list[int], now: datetime, experience: Experience) -> dict[int, Learned]:
    latest = Run.objects.filter(agent=OuterRef("pk"), ended_at__isnull=False).order_by("-started_at")
    oldest_counted = Subquery(latest.values("started_at")[RUNS - 1 : RUNS])
    known = Agent.objects.filter(pk__in=agents).annotate(cut=oldest_counted)
    since: dict[int, datetime | None] = {}
    which = Q()
    for pk, version_since, cut in known.values_list("pk", "version_since", "cut"):
        since[pk] = version_since
        which |= Q(agent=pk, started_at__gte=max(cut or now - OLDEST, now - OLDEST))
    learned: dict[int, Learned] = {agent: {} for agent in agents}
    if not since:
        return learned
    columns = (
        "pk", "agent", "status", "adopted_at", "started_at", "ended_at", "task",
        "task__status", "task__review_required", "task__estimate_minutes", "task__project",
    )  # fmt: skip
    counted = Run.objects.filter(which, _COUNTED, ended_at__isnull=False)
    if experience.projects is not None:
        counted = counted.filter(task__project__in=experience.projects)
    runs = list(counted.values_list(*columns))
    verdicts: dict[Any, str] = {}
    skills: dict[int, set[int]] = defaultdict(set)
    for start in range(0, len(runs), SLICE):
        batch = runs[start : start + SLICE]
        given = Review.objects.filter(run__in=[run[0] for run in batch]).order_by("created_at")
        verdicts.update(given.values_list("run", "verdict"))
        required = RequiredSkill.objects.filter(task__in={run[6] for run in batch})
        for task, skill in required.values_list("task", "skill"):
            skills[task].add(skill)
    hours = experience.hours_of({run[10] for run in runs})
    sums: dict[int, dict[int | None, _Sums]] = defaultdict(lambda: defaultdict(_Sums))
    for pk, agent, status, adopted, started, ended, task, task_status, reviewed, estimate, project in runs:
        accepted = _was_accepted(status, adopted is not None, verdicts.get(pk), reviewed, task_status)
        if accepted is None:
            continue
        weight = 0.5 ** ((now - ended) / HALF_LIFE)
        changed = since[agent]
        if changed is not None and ended < changed:
            weight *= KEPT_BY_NEW_VERSION
        expected = estimate / 60 if estimate else hours[project]
        pace = min(MOST_PACE, max(LEAST_PACE, (ended - started).total_seconds() / 3600 / max(expected, 1 / 60)))
        every: list[int | None] = [None, *skills[task]]
        for key in every:
            of_skill = sums[agent][key]
            of_skill.accepted += weight * accepted
            of_skill.rejected += weight * (not accepted)
            if status == RunStatus.COMPLETED:
                of_skill.pace += weight * pace
                of_skill.paced += weight
    for agent, by_skill in sums.items():
        learned[agent] = {skill: of_skill.as_evidence() for skill, of_skill in by_skill.items()}
    return learned


def _was_accepted(status: str, adopted: bool, verdict: str | None, reviewed: bool, task_status: str) -> bool | None:
    """Whether the run's work was accepted; None while nobody has judged it."""
    if verdict is not None:
        return verdict == Verdict.APPROVED
    if status != RunStatus.COMPLETED and not adopted:
        return False
    return True if task_status == Status.COMPLETED or not reviewed else None
