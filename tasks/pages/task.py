"""The page of one task: what it is, what happened to it, and what can be done with it now."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from taskproject.strict_json import pretty
from tasks import clock
from tasks.assignment.decisions import decision_that_holds
from tasks.briefing import with_comments
from tasks.composing import composer_of
from tasks.elsewhere import completed_at_unknown_times
from tasks.finding import task_named
from tasks.flow import Show, read_flow
from tasks.models import Artifact, Assignment, FollowUp, FollowUpState, Priority, Run, RunStatus, Task, counting
from tasks.pages import verbs
from tasks.pages.cards import marks_of
from tasks.pages.questions import controls_of
from tasks.pages.retries import retry_of
from tasks.pages.returning import way_back
from tasks.transitions import Status, has_result
from tasks.using.editing import editable_fields
from tasks.using.openness import Scene
from tasks.verbs import catalogue

NEIGHBOURS = 50
RUNS = 20
FOLLOW_UPS = 50
RESULT_SHOWN = 20_000
WAITS_FOR = "Waits for"
SHOWS = ((Show.ALL, "All"), (Show.CONVERSATION, "Conversation"), (Show.ACTIVITY, "History"))


@dataclass
class Neighbours:
    """Related tasks: the first ones, and whether there are more."""

    title: str
    tasks: list[Task]
    more: bool = False


@dataclass
class Result:
    """A result to show: formatted JSON, or plain text; both untrusted."""

    text: str
    is_text: bool = False
    cut: bool = False


@dataclass
class Criterion:
    text: str
    met: bool | None = None
    note: str = ""


@dataclass
class Attempt:
    """A run as the page shows it. Its id stays hidden: anyone who knows it could write for its holder."""

    run: Run
    may_adopt: bool = False
    reviews: list[Any] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)

    @property
    def late_artifacts(self) -> list[Artifact]:
        return [artifact for artifact in self.artifacts if artifact.is_late]

    @property
    def own_artifacts(self) -> list[Artifact]:
        return [artifact for artifact in self.artifacts if not artifact.is_late]

    @property
    def outcome(self) -> str:
        return str(RunStatus(self.run.status).label)

    @property
    def tone(self) -> str:
        if self.run.status == RunStatus.COMPLETED or self.run.adopted_at:
            return "status-completed"
        return "status-failed" if self.run.status in (RunStatus.FAILED, RunStatus.EXPIRED) else "status-cancelled"

    @property
    def seconds(self) -> float:
        return (self.run.ended_at - self.run.started_at).total_seconds() if self.run.ended_at else 0

    @property
    def tokens(self) -> int:
        return self.run.input_tokens + self.run.output_tokens


def find_task(request: HttpRequest, ref: str) -> Task:
    """The task named ``ref`` among those the user may see. Raises ``Http404`` for others."""
    user: Any = request.user
    task = task_named(user, ref).select_related("project", "parent__project", "created_by__agent").first()
    if task is None:
        raise Http404
    return task


def _neighbour_group(title: str, tasks: Any) -> Neighbours:
    columns = ("project__key", "number", "title", "status", "priority")
    first = list(tasks.select_related("project").only(*columns).order_by("pk")[: NEIGHBOURS + 1])
    return Neighbours(title, first[:NEIGHBOURS], len(first) > NEIGHBOURS)


def _neighbours(task: Task) -> list[Neighbours]:
    groups = [
        _neighbour_group(WAITS_FOR, Task.objects.filter(dependents__task=task)),
        _neighbour_group("Subtasks", Task.objects.filter(parent=task)),
        _neighbour_group("Waited for by", Task.objects.filter(dependencies__depends_on=task)),
        _neighbour_group("Linked", Task.objects.filter(linked_from__task=task).distinct()),
    ]
    if task.parent is not None:
        groups.insert(0, Neighbours("Part of", [task.parent]))
    return [group for group in groups if group.tasks]


def show_result(value: Any) -> Result | None:
    """A result formatted for reading, shortened if it is very long."""
    if value is None:
        return None
    is_text = isinstance(value, str)
    text = value if is_text else pretty(value)
    return Result(text[:RESULT_SHOWN], is_text, len(text) > RESULT_SHOWN)


def failure_to_show(task: Task) -> dict[str, Any] | None:
    """The last failure of a task that waits for another attempt or has failed, with its time as one."""
    failure = task.last_failure
    if failure is None or task.status not in (Status.NOT_STARTED, Status.FAILED):
        return None
    return {**failure, "at": datetime.fromisoformat(failure["at"])}


def _artifacts(runs: list[Run]) -> dict[UUID, list[Artifact]]:
    """What these runs (by id) handed over, in one query."""
    by_run: dict[UUID, list[Artifact]] = defaultdict(list)
    for artifact in Artifact.objects.filter(run__in=runs).listed():
        by_run[artifact.run_id].append(artifact)
    return by_run


def _criteria(task: Task, judged: Run | None) -> list[Criterion]:
    """The criteria, each with the finished run's verdict on it."""
    verdicts = {}
    for item in judged.criteria if judged is not None and isinstance(judged.criteria, list) else ():
        if isinstance(item, dict):
            verdicts[str(item.get("criterion"))] = item
    criteria = []
    for text in map(str, task.criteria):
        verdict = verdicts.get(text, {})
        criteria.append(Criterion(text, verdict.get("met"), str(verdict.get("note") or "")))
    return criteria


def _context(request: HttpRequest, task: Task, *, refused: Any = None) -> dict[str, Any]:
    """What the page shows. ``refused``: the posted verb that could not be used."""
    now = clock.now()
    user: Any = request.user
    scene = Scene(user, task, now)
    shown = Assignment.objects.filter(task=task).filter(counting()).select_related("agent", "assigned_by__agent")
    assignments = list({assignment.agent_id: assignment for assignment in shown.order_by("pk")}.values())
    assignees = [assignment.agent for assignment in assignments if assignment.ended_at is None]
    runs = list(
        Run.objects.filter(task=task)
        .select_related("agent")
        .prefetch_related("reviews__reviewer__agent", Prefetch("reviews__comments", with_comments().queryset))
        .order_by("-number")[: RUNS + 1]
    )
    active = next((run for run in runs if run.ended_at is None), None)
    # Already read, with what the page shows of them.
    scene.held, scene.assignees = active, assignees
    artifacts = _artifacts(runs[:RUNS])
    may_adopt = any(run.late_result for run in runs) and scene.is_open(catalogue.ADOPT)
    ended = [
        Attempt(
            run,
            may_adopt and run.adopted_at is None and (run.late_result or {}).get("verb") == "complete",
            list(run.reviews.all()),
            artifacts[run.pk],
        )
        for run in runs[:RUNS]
        if run.ended_at is not None
    ]
    judged = next((a.run for a in ended if a.run.status == RunStatus.COMPLETED or a.run.adopted_at), None)
    before = request.GET.get("before", "")
    before = before if before.isascii() and before.isdecimal() and len(before) < 17 else ""
    wanted = request.GET.get("show", "")
    show = Show(wanted) if wanted in set(Show) else Show.ALL
    composer = composer_of(task, user, run=active, now=now)
    questions, answered = controls_of(task, user)
    neighbours = _neighbours(task)
    editable = editable_fields(user, task)
    return {
        "task": task,
        "now": now,
        "ended_before": bool(completed_at_unknown_times([task])),
        "priority": Priority(task.priority).label,
        "estimate": (task.estimate_minutes or 0) * 60,
        "marks": marks_of(task, active, now),
        "assignments": assignments,
        "decision": decision_that_holds(task),
        "labels": list(task.labels.all()),
        "skills": list(task.required_skills.select_related("skill")),
        "neighbours": neighbours,
        "waits_for": next((group.tasks for group in neighbours if group.title == WAITS_FOR), []),
        "run": active,
        "holds": scene.holds,
        "artifacts_now": artifacts[active.pk] if active is not None else [],
        "artifacts_of_result": artifacts[judged.pk] if judged is not None and has_result(task.status) else [],
        "attempts": ended,
        "more_attempts": len(runs) > RUNS,
        "criteria": _criteria(task, judged),
        "summary": task.summary if has_result(task.status) else "",
        "result": show_result(task.result) if has_result(task.status) else None,
        "failure": failure_to_show(task),
        "retry": retry_of(task, now),
        "follow_ups": list(
            FollowUp.objects.filter(task=task)
            .exclude(state=FollowUpState.REPLACED)
            .select_related("run__agent", "created__project", "decided_by__agent")[:FOLLOW_UPS]
        )
        if runs
        else [],
        "decides_follow_ups": scene.is_permitted(catalogue.ACCEPT_FOLLOW_UP),
        "offers": verbs.offers_of(scene, refused),
        "judged": scene.judged,
        "is_refused": refused is not None,
        "flow": read_flow(
            task, user, now=now, show=show, before=int(before) if before else None, may_write=composer is not None
        ),
        "show": show,
        "shows": SHOWS,
        "here": request.get_full_path(),
        "composer": composer,
        "questions": questions,
        "answered": answered,
        "is_older_page": bool(before),
        "may_edit": user.is_staff and bool(editable),
        "editable": editable,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def task(request: HttpRequest, ref: str) -> HttpResponse:
    """One task; a POST uses the verb it names, then leads back here, or says why not and keeps the input."""
    shown = find_task(request, ref)
    if request.method != "POST":
        return render(request, "tasks/task.html", _context(request, shown))
    done, sentence = verbs.use_posted(request.user, shown, request.POST)  # type: ignore[arg-type]
    if not done:
        context = _context(request, find_task(request, ref), refused=request.POST)
        return render(request, "tasks/task.html", context | {"problem": sentence}, status=409)
    messages.success(request, sentence)
    return HttpResponseRedirect(way_back(request) or reverse("task", args=[shown.ref]))
