"""Context for the next run: what earlier runs left behind (attempts, checkpoint, feedback), and dependencies' results.

Agents wrote all of it, so callers put it in fields marked as data, never among instructions.
"""

from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet, Window
from django.db.models.functions import Coalesce, RowNumber

from taskproject.prepared.querysets import prepared
from tasks.asked import answers_for
from tasks.models import (
    Artifact,
    Dependency,
    Message,
    MessageKind,
    Review,
    ReviewComment,
    Run,
    RunStatus,
    Task,
    Verdict,
)
from tasks.querysets import MessageQuerySet
from tasks.refs import ref_of
from tasks.thread import message_outputs


def contexts_of(
    runs: Iterable[Run], *, waiting: Container[int], discussed: Container[int]
) -> dict[Any, dict[str, Any]]:
    """The ``context`` of each run (by id), as its agent gets it; a fixed number of queries for all of them, and none
    for the first run of a task that is neither ``waiting``, having dependencies or children, nor ``discussed``.
    """
    runs = list(runs)
    answers = answers_for(runs)
    contexts: dict[Any, dict[str, Any]] = {
        run.pk: {
            "attempts": [],
            "checkpoint": {},
            "answers": answers[run.pk],
            "feedback": [],
            "dependencies": [],
            "thread": [],
        }
        for run in runs
    }
    _add_earlier_runs([run for run in runs if run.number > 1], contexts)
    _add_dependencies([run for run in runs if run.task_id in waiting], contexts)
    _add_threads([run for run in runs if run.task_id in discussed], contexts)
    return contexts


#: How many messages of its task's thread a run gets.
THREAD_SHOWN = 20


def said() -> MessageQuerySet:
    """What a run gets of threads: all but stops, each of which was about an earlier run alone."""
    messages: MessageQuerySet = Message.objects.exclude(kind=MessageKind.STOP)
    return messages


def _add_threads(runs: list[Run], contexts: dict[Any, dict[str, Any]]) -> None:
    """The last messages about each task, the oldest first."""
    if not runs:
        return
    if len(runs) == 1:
        latest = said().filter(task=runs[0].task_id).order_by("-pk")[:THREAD_SHOWN]
    else:
        place = Window(RowNumber(), partition_by="task", order_by="-pk")
        ranked = said().filter(task__in=[run.task_id for run in runs]).annotate(place=place)
        latest = ranked.filter(place__lte=THREAD_SHOWN)
    ids = [message.pk for message in latest.only("pk")]
    rows = list(Message.objects.filter(pk__in=ids).to_show().order_by("pk"))
    by_task = {run.task_id: run for run in runs}
    for message, output in zip(rows, message_outputs(rows), strict=True):
        assert message.task_id is not None
        contexts[by_task[message.task_id].pk]["thread"].append(output)


def _add_earlier_runs(runs: list[Run], contexts: dict[Any, dict[str, Any]]) -> None:
    if not runs:
        return
    by_task = {run.task_id: run for run in runs}
    artifacts = _artifacts_of(by_task)
    earlier = Run.objects.filter(task__in=by_task).select_related("agent").order_by("task", "number")
    for other in earlier:
        run = by_task[other.task_id]
        if other.number >= run.number:
            continue
        context = contexts[run.pk]
        context["attempts"].append(
            {
                "number": other.number,
                "agent": other.agent.slug,
                "outcome": other.status,
                "summary": summary_of(other),
                "artifacts": artifacts[other.pk],
            }
        )
        if other.checkpoint:
            context["checkpoint"] = other.checkpoint
    reviews = (
        Review.objects.filter(run__task__in=by_task, verdict=Verdict.CHANGES_REQUESTED)
        .select_related("run", "reviewer")
        .prefetch_related(with_comments())
    )
    for review in reviews:
        contexts[by_task[review.run.task_id].pk]["feedback"].append(
            {
                "number": review.run.number,
                "reviewer": review.reviewer.get_username() if review.reviewer else None,
                "note": review.note,
                "at": review.created_at,
                "comments": [_comment(comment) for comment in review.comments.all()],
            }
        )


def with_comments() -> Prefetch:
    """The comments of reviews, each with its artifact but not the content of that."""
    return Prefetch("comments", ReviewComment.objects.select_related("artifact").defer("artifact__content"))


def _comment(comment: ReviewComment) -> dict[str, Any]:
    """A comment on a line as the next run reads it; for a diff with its place in the file."""
    place = {"path": comment.path, "side": comment.side, "path_line": comment.path_line} if comment.side else {}
    return {
        "artifact": comment.artifact.name,
        "artifact_id": comment.artifact_id,
        "line": comment.line,
        "quote": comment.quote,
        **place,
        "body": comment.body,
    }


@prepared
def _dependencies_of(tasks: Any) -> QuerySet[Dependency, Any]:
    return Dependency.objects.filter(task__id__any=tasks).values_list("task_id", "depends_on_id")


@prepared
def _children_of(tasks: Any) -> QuerySet[Task, Any]:
    return Task.objects.filter(parent__id__any=tasks).values_list("parent_id", "pk")


@prepared
def _outcomes_of(tasks: Any) -> QuerySet[Task, Any]:
    return (
        Task.objects.filter(pk__any=tasks).order_by().values_list("pk", "project__key", "number", "summary", "result")
    )


def _add_dependencies(runs: list[Run], contexts: dict[Any, dict[str, Any]]) -> None:
    """Summaries and results of what each task waited for: its dependencies and its children."""
    if not runs:
        return
    by_task = {run.task_id: run for run in runs}
    waited_for: dict[int, list[int]] = defaultdict(list)
    for task_id, other in _dependencies_of.all(tasks=list(by_task)):
        waited_for[task_id].append(other)
    for parent_id, child in _children_of.all(tasks=list(by_task)):
        waited_for[parent_id].append(child)
    others = {pk for pks in waited_for.values() for pk in pks}
    outcomes = {pk: outcome for pk, *outcome in _outcomes_of.all(tasks=list(others))}
    artifacts = _artifacts_of_results(outcomes)
    for task_id, pks in waited_for.items():
        contexts[by_task[task_id].pk]["dependencies"] = [
            {"ref": ref_of(key, number), "summary": summary, "result": result, "artifacts": artifacts[pk]}
            for pk in pks
            if pk in outcomes
            for key, number, summary, result in [outcomes[pk]]
        ]


@prepared
def _listed_of(tasks: Any) -> QuerySet[Artifact]:
    return Artifact.objects.filter(run__task__id__any=tasks, is_late=False).listed()


def _artifacts_of(tasks: Iterable[int]) -> dict[UUID, list[dict[str, Any]]]:
    """What their runs (by id) handed over, to be read by its id. One query; no contents."""
    by_run: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for artifact in _listed_of.all(tasks=list(tasks)):
        by_run[artifact.run_id].append(brief_of(artifact))
    return by_run


def _artifacts_of_results(tasks: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """The same by task, of the runs whose results the tasks have."""
    by_task: dict[int, list[dict[str, Any]]] = defaultdict(list)
    tasks = list(tasks)
    if not tasks:
        return by_task
    by_run = _artifacts_of(tasks)
    if not by_run:
        return by_task
    runs = Run.objects.filter(pk__in=by_run).filter(Q(status=RunStatus.COMPLETED) | Q(adopted_at__isnull=False))
    # The latest is the last to set it.
    for run in runs.order_by(Coalesce("adopted_at", "ended_at")).only("task"):
        by_task[run.task_id] = by_run[run.pk]
    return by_task


def brief_of(artifact: Artifact) -> dict[str, Any]:
    """An artifact in a few words."""
    brief = {name: getattr(artifact, name) for name in ("id", "name", "kind", "media_type", "size", "sha256")}
    return brief | ({"url": artifact.url} if artifact.url else {})


def summary_of(run: Run) -> str:
    """One line on the outcome of an ended run."""
    if run.summary:
        return run.summary
    if run.failure:
        return f"{run.failure.get('code', 'failed')}: {run.failure.get('detail', '')}".strip()
    if run.progress_note:
        return f"{run.progress_percent} %: {run.progress_note}"
    return RunStatus(run.status).label
