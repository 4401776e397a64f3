"""What staff and reviewers decide about results: approve, request changes, adopt a late result."""

from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.db.models.functions import Coalesce

from taskproject.prepared.together import LostRace
from tasks.actions.artifacts import adopt_late_artifacts
from tasks.actions.assignments import add_assignments
from tasks.actions.dependencies import lock_graph
from tasks.actions.follow_ups import let_follow_ups_go, lock_if_held, name_follow_ups
from tasks.actions.funnel import load_task, move, require_legal, slugs, status_changed, stop
from tasks.actions.line_comments import comments_on, store_comments
from tasks.actions.locking import hold, lock_runs
from tasks.actions.plans import changed_plan
from tasks.actions.runs import SUMMARY_IN_EVENT, Finished, bring_result, finishing_status
from tasks.actions.transactions import verb
from tasks.errors import Invalid, NotFound
from tasks.events.recording import record
from tasks.history.facts import usage_of
from tasks.models import Agent, Review, Role, Run, RunStatus, Task, Verdict
from tasks.permissions import require, role_in
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def authored_run(task: Task) -> Run | None:
    """The run whose result the task has: the last one that completed or was adopted."""
    runs = Run.objects.filter(task=task).filter(Q(status=RunStatus.COMPLETED) | Q(adopted_at__isnull=False))
    return runs.select_related("agent__user").order_by(Coalesce("adopted_at", "ended_at").desc()).first()


@verb(catalogue.APPROVE)
def approve_task(
    *, actor: "User", task: Task, note: str = "", comments: list[dict[str, Any]] | None = None
) -> Finished:
    """Accept the result in review: the task is completed, and what waited for it becomes ready.

    ``comments``: ``{"artifact": id, "line", "body"}`` each, on lines of its artifacts.

    Raises ``NotPermitted`` (the author never approves their own work), ``IllegalTransition``.
    """
    task = load_task(task)
    run = authored_run(task)
    require(actor, "approve", task, run=run)
    require_legal(catalogue.APPROVE, task)
    on_lines = comments_on(run, comments)
    lock_if_held(task)
    held = hold([task], Status.COMPLETED)
    moved = move(task, "approve", Status.COMPLETED, held=held, actor=actor, completed_at=held.at)
    if run is not None:
        verdict = {"reviewer": actor, "verdict": Verdict.APPROVED, "note": note, "created_at": held.at}
        store_comments(Review.objects.create(run=run, **verdict), on_lines)
    facts: dict[str, Any] = {"note": note, "comments": len(on_lines) or None}
    record(status_changed(task, moved, held=held, actor=actor, run=run, **facts), *moved.around)
    let_follow_ups_go(task, at=held.at)
    return Finished(task, [other.ref for other in moved.unblocked])


@verb(catalogue.REQUEST_CHANGES)
def request_changes(*, actor: "User", task: Task, note: str = "", comments: list[dict[str, Any]] | None = None) -> Task:
    """Send the result in review back to its author, who stays assigned and gets ``note`` with the next run, and the
    ``comments`` on lines of its artifacts, ``{"artifact": id, "line", "body"}`` each.

    Raises ``NotPermitted``, ``IllegalTransition``, ``Invalid`` without a note.
    """
    task = load_task(task)
    run = authored_run(task)
    require(actor, "request_changes", task, run=run)
    require_legal(catalogue.REQUEST_CHANGES, task)
    on_lines = comments_on(run, comments)
    held = hold([task], Status.NOT_STARTED)
    moved = move(task, "request_changes", Status.NOT_STARTED, held=held, actor=actor)
    assigned: list[Agent] = []
    if run is not None:
        review = {"reviewer": actor, "verdict": Verdict.CHANGES_REQUESTED, "note": note, "created_at": held.at}
        store_comments(Review.objects.create(run=run, **review), on_lines)
        if role_in(run.agent.user, task.project) not in (None, Role.VIEWER):
            assigned = add_assignments(task, [run.agent], actor=actor, now=held.at)
    facts: dict[str, Any] = {"note": note, "agents": slugs(assigned), "comments": len(on_lines) or None}
    record(status_changed(task, moved, held=held, actor=actor, run=run, **facts), *moved.around)
    return task


@verb(catalogue.ADOPT)
def adopt_late_result(*, actor: "User", run: Run) -> Finished:
    """Adopt a result that came after its lease was lost as the task's result; an active run on it is revoked.

    Raises ``NotFound``, ``NotPermitted``, ``IllegalTransition``, ``Invalid`` if the run has no result to adopt.
    """
    current = Run.objects.select_related("agent__user").filter(pk=run.pk).first()
    if current is None:
        raise NotFound("This run no longer exists.")
    run, task = current, load_task(Task(pk=current.task_id))
    run.task = task
    require(actor, "adopt", task)
    require_legal(catalogue.ADOPT, task)
    late = run.late_result
    if late is None or late.get("verb") != "complete" or run.adopted_at is not None:
        raise Invalid({"run": f"Run {run.number} of {task.ref} has no late result to adopt."})
    follow_ups = late.get("follow_ups")
    if follow_ups:
        lock_graph(task.project_id)
    locked = lock_runs(Run.objects.filter(Q(pk=run.pk) | Q(task=task, ended_at__isnull=True)).select_related("agent"))
    active = next((each for each in locked if each.ended_at is None), None)
    if active is not None:
        active.task = task
    target = finishing_status(task)
    held = hold([task], target)
    stop(active, RunStatus.REVOKED, held=held)
    adopted = Run.objects.filter(pk=run.pk, adopted_at__isnull=True).update(
        adopted_at=held.at,
        summary=late["summary"],
        result=late["result"],
        criteria=late["criteria"],
        **changed_plan(run, late.get("plan"), late.get("external_url")),
    )
    if not adopted:
        raise LostRace
    artifacts = adopt_late_artifacts(run)
    summary, result = late["summary"], late["result"]
    moved = bring_result(task, "adopt", target, summary=summary, result=result, held=held, actor=actor)
    facts: dict[str, Any] = {"summary": summary[:SUMMARY_IN_EVENT]}
    if artifacts:
        facts["artifacts"] = artifacts
    if follow_ups:
        facts["follow_ups"] = len(follow_ups)
    if active is not None:
        facts |= {"revoked_run": active.number, "taken_from": slugs([active.agent]), **usage_of(active)}
    record(status_changed(task, moved, held=held, actor=actor, run=run, **facts), *moved.around)
    if follow_ups is not None:
        name_follow_ups(run, follow_ups, at=held.at)
        if target == Status.COMPLETED:
            let_follow_ups_go(task, at=held.at)
    return Finished(task, [other.ref for other in moved.unblocked])
