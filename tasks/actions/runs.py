"""What the holder of a run does with it: heartbeat, progress, complete, fail, release. Every call renews the lease.

How a call on a run is fenced is in ``holding``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import F

from tasks import clock
from tasks.actions.artifacts import NewArtifact, new_artifacts, store_artifacts
from tasks.actions.follow_ups import (
    let_follow_ups_go,
    lock_projects_of,
    name_follow_ups,
    open_follow_ups_if_done,
    require_known_skills,
)
from tasks.actions.funnel import (
    Moved,
    backoff,
    end_run,
    end_runs,
    failure_of,
    give_back_pulled,
    move,
    move_all,
    status_changed,
)
from tasks.actions.holding import (
    Fenced,
    Stopped,
    lease_lost,
    load_run,
    renewal,
    stop_requested,
    take_acks,
    time_of,
    used,
    write_run,
)
from tasks.actions.locking import Held, hold
from tasks.actions.plans import changed_plan, plan_in_event
from tasks.actions.transactions import in_transaction, verb
from tasks.errors import Invalid
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Run, RunStatus, Task
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: How much of a summary the event includes; the run has all of it.
SUMMARY_IN_EVENT = 500
RETRY_BASE, RETRY_CAP = timedelta(seconds=30), timedelta(hours=1)


@dataclass
class Finished:
    """What ``complete_run`` did: the task, and the refs of the tasks that became ready."""

    task: Task
    unblocked: list[str] = field(default_factory=list)


@in_transaction
def _heartbeat(
    actor: "User", run_id: UUID, lease_seconds: int | None, ack: Sequence[str] | None, wait_seconds: int
) -> Run:
    run = load_run(actor, run_id, "heartbeat", lock=("self", "task") if ack else (), acknowledges=bool(ack))
    now = clock.now() if ack else time_of(run)
    take_acks(run, ack, at=now, actor=actor)
    if run.stop_delivered_at is None:
        waits_until = now + timedelta(seconds=wait_seconds) if wait_seconds else None
        write_run(run, renewal(run, now, lease_seconds) | {"waits_until": waits_until})
    return run


@verb(catalogue.HEARTBEAT, opens_transaction=False)
def heartbeat_run(
    *,
    actor: "User",
    run_id: UUID,
    lease_seconds: int | None = None,
    ack: Sequence[str] | None = None,
    wait_seconds: int = 0,
) -> Run:
    """Say that the run is alive: renews its lease, for ``lease_seconds`` (30 to 14 400) if given.

    ``ack``: ids of directives that the holder has taken up. ``wait_seconds``: how long the holder then waits for the
    next one; the door lets it. After a stop it only acknowledges.
    Raises ``LeaseLost`` with the reason, ``StopRequested``, ``NotFound`` for somebody else's run, ``Invalid``.
    """
    try:
        return _heartbeat(actor, run_id, lease_seconds, ack, wait_seconds)
    except Fenced as fenced:
        raise lease_lost(fenced.run) from None
    except Stopped as stopped:
        raise stop_requested(stopped.run) from None


@in_transaction
def _progress(
    actor: "User",
    run_id: UUID,
    percent: int | None,
    note: str | None,
    plan: list[dict] | None,
    external_url: str | None,
    checkpoint: dict | None,
    usage: dict | None,
    ack: Sequence[str] | None,
) -> Run:
    run = load_run(actor, run_id, "progress", lock=("self", "task"))
    now = clock.now()
    take_acks(run, ack, at=now, actor=actor)
    reported: dict[str, Any] = {}
    if percent is not None and percent != run.progress_percent:
        reported["progress_percent"] = percent
    if note is not None and note != run.progress_note:
        reported["progress_note"] = note
    changes = reported | changed_plan(run, plan, external_url)
    if checkpoint is not None and checkpoint != run.checkpoint:
        changes["checkpoint"] = checkpoint
    advanced = bool(changes)
    if advanced:
        changes |= {"last_progress_at": now, "stalled_at": None}
    changes |= renewal(run, now) | used(run, usage)
    was_stalled = run.stalled_at is not None
    write_run(run, changes)
    if reported:
        Task.objects.filter(pk=run.task_id).update(
            progress_at=now, updated_at=now, version=F("version") + 1, **reported
        )
        for name, value in reported.items():
            setattr(run.task, name, value)
        run.task.progress_at, run.task.version = now, run.task.version + 1
    if advanced:
        resumed: dict[str, Any] = {"resumed": True} if was_stalled else {}
        record(
            event(
                kinds.TASK_PROGRESSED,
                at=now,
                actor=actor,
                task=run.task,
                run=run,
                agent=run.agent,
                percent=run.progress_percent,
                note=run.progress_note,
                **plan_in_event(run),
                **resumed,
            )
        )
    return run


@verb(catalogue.PROGRESS, opens_transaction=False)
def progress_run(
    *,
    actor: "User",
    run_id: UUID,
    percent: int | None = None,
    note: str | None = None,
    plan: list[dict[str, Any]] | None = None,
    external_url: str | None = None,
    checkpoint: dict[str, Any] | None = None,
    usage: dict | None = None,
    ack: Sequence[str] | None = None,
) -> Run:
    """Report progress; only changes count as progress (``last_progress_at``).

    ``percent``: 0 to 100; ``plan``: the whole checklist, ``{"content", "status", "priority"?}`` a step, as in the Agent
    Client Protocol (*Agent Plan*); ``external_url``: the agent's own log; ``checkpoint``: what the next run needs;
    ``usage`` since the last report; ``ack`` as in ``heartbeat_run``.
    Raises ``LeaseLost``, ``StopRequested``, ``NotFound``, ``Invalid``.
    """
    try:
        return _progress(actor, run_id, percent, note, plan, external_url, checkpoint, usage, ack)
    except Fenced as fenced:
        raise lease_lost(fenced.run) from None
    except Stopped as stopped:
        raise stop_requested(stopped.run) from None


@in_transaction
def _complete(
    actor: "User",
    run_id: UUID,
    summary: str,
    result: Any,
    criteria: list[dict] | None,
    artifacts: Sequence[NewArtifact],
    follow_ups: list[dict] | None,
    plan: list[dict] | None,
    external_url: str | None,
    usage: dict | None,
    ack: Sequence[str] | None,
) -> Finished:
    if follow_ups:
        require_known_skills(follow_ups)
        lock_projects_of(actor, [run_id])
    run = load_run(actor, run_id, "complete", lock=("self",))
    task = run.task
    target = finishing_status(task)
    held = hold([task], target)
    take_acks(run, ack, at=held.at, actor=actor, ends=True)
    store_artifacts(run, artifacts, at=held.at)
    changes = changes_of_result(
        run,
        at=held.at,
        summary=summary,
        result=result,
        criteria=criteria,
        plan=plan,
        external_url=external_url,
        usage=usage,
    )
    end_runs([(run, changes)], RunStatus.COMPLETED, now=held.at)
    facts = facts_of_result(summary)
    if artifacts:
        facts["artifacts"] = len(artifacts)
    if follow_ups:
        facts["follow_ups"] = len(follow_ups)
    moved = bring_result(task, "complete", target, summary=summary, result=result, held=held, actor=actor)
    record(status_changed(task, moved, held=held, actor=actor, run=run, **facts), *moved.around)
    if follow_ups is not None:
        name_follow_ups(run, follow_ups, at=held.at)
    if follow_ups and target == Status.COMPLETED:
        let_follow_ups_go(task, at=held.at)
    elif run.number > 1:
        open_follow_ups_if_done([task])
    return Finished(task, [other.ref for other in moved.unblocked])


def changes_of_result(
    run: Run,
    *,
    at: datetime,
    summary: str,
    result: Any,
    criteria: list[dict] | None,
    plan: list[dict] | None,
    external_url: str | None,
    usage: dict | None,
) -> dict[str, Any]:
    """The columns of ``run`` that its result changes."""
    changes: dict[str, Any] = {
        "summary": summary,
        "result": result,
        "criteria": criteria or [],
        "progress_percent": 100,
    }
    changes |= {"last_heartbeat_at": at, "last_progress_at": at, "stalled_at": None}
    return changes | changed_plan(run, plan, external_url) | used(run, usage)


def facts_of_result(summary: str) -> dict[str, Any]:
    """What the event of a result says in any case."""
    return {"outcome": RunStatus.COMPLETED.value, "summary": summary[:SUMMARY_IN_EVENT]}


def finishing_status(task: Task) -> Status:
    """The status that a result leads to: in review if the task requires one, else completed."""
    return Status.IN_REVIEW if task.review_required else Status.COMPLETED


def bring_result(
    task: Task, verb: str, target: Status, *, summary: str, result: Any, held: Held, actor: "User | None"
) -> Moved:
    """Give the task its result and move it to ``target``, its ``finishing_status``. Part of a running verb."""
    return bring_results(
        [task], verb, target, own={task.pk: {"summary": summary, "result": result}}, held=held, actor=actor
    )


def bring_results(
    tasks: Sequence[Task],
    verb: str,
    target: Status,
    *,
    own: Mapping[int, Mapping[str, Any]],
    held: Held,
    actor: "User | None",
    alone: bool = False,
) -> Moved:
    """The same for several of one ``finishing_status``. ``own``: what they get, by id; ``alone``: see ``move_all``."""
    now = held.at
    extra: dict[str, Any] = {"completed_at": now} if target == Status.COMPLETED else {}
    [review_required] = {task.review_required for task in tasks}
    return move_all(
        tasks,
        verb,
        target,
        held=held,
        actor=actor,
        still={"review_required": review_required},
        own=own,
        alone=alone,
        progress_percent=100,
        progress_at=now,
        last_failure=None,
        **extra,
    )


@verb(catalogue.COMPLETE, opens_transaction=False)
def complete_run(
    *,
    actor: "User",
    run_id: UUID,
    summary: str,
    result: Any = None,
    criteria: list[dict[str, Any]] | None = None,
    artifacts: list[dict[str, Any]] | None = None,
    follow_ups: list[dict[str, Any]] | None = None,
    plan: list[dict[str, Any]] | None = None,
    external_url: str | None = None,
    usage: dict | None = None,
    ack: Sequence[str] | None = None,
) -> Finished:
    """Finish the run with a result; the task goes to review if it requires one, else it is completed.

    ``criteria``: ``{"criterion", "met", "note"?}`` per criterion; ``artifacts``: ``{"name", "kind", "media_type"?}``
    each, with its content as ``text``, ``url`` or ``base64``; ``follow_ups``: ``{"title", "description"?, "priority"?,
    "required_skills"?}`` each, which become tasks or proposals once the result counts; ``plan`` and ``external_url`` as
    in ``progress_run``. What waited for the task becomes ready at once.
    Raises ``LeaseLost`` (the body is stored as the late result), ``NotFound``, ``Invalid``.
    """
    new = new_artifacts(artifacts)
    try:
        return _complete(actor, run_id, summary, result, criteria, new, follow_ups, plan, external_url, usage, ack)
    except Fenced as fenced:
        late: dict[str, Any] = {"verb": "complete", "summary": summary, "result": result, "criteria": criteria or []}
        more = {"plan": plan, "external_url": external_url, "follow_ups": follow_ups}
        late |= {name: value for name, value in more.items() if value is not None}
        raise lease_lost(fenced.run, late=late, artifacts=new) from None


@in_transaction
def _fail(
    actor: "User",
    run_id: UUID,
    code: str,
    detail: str,
    retryable: bool,
    retry_after_seconds: int | None,
    external_url: str | None,
    usage: dict | None,
    ack: Sequence[str] | None,
) -> Task:
    if retry_after_seconds is not None and not retryable:
        raise Invalid({"retry_after_seconds": "Only a failure that is worth another attempt may have one."})
    run = load_run(actor, run_id, "fail", lock=("self",))
    task = run.task
    attempts = task.attempts + 1
    again = retryable and attempts < task.max_attempts
    held = hold([task], Status.NOT_STARTED if again else Status.FAILED)
    now = held.at
    take_acks(run, ack, at=now, actor=actor, ends=True)
    failure: dict[str, Any] = {"code": code, "detail": detail, "retryable": retryable}
    if retry_after_seconds is not None:
        failure["retry_after_seconds"] = retry_after_seconds
    shown = failure_of(run, code=code, detail=detail, attempt=attempts, at=now)
    kept: dict[str, Any] = {"attempts": attempts, "last_failure": shown}
    changes: dict[str, Any] = {"failure": failure, "last_heartbeat_at": now}
    changes |= changed_plan(run, None, external_url) | used(run, usage)
    if not end_run(run, RunStatus.FAILED, now=now, **changes):
        raise Fenced(run)
    if again:
        rest = backoff(attempts, base=RETRY_BASE, cap=RETRY_CAP)
        rest = max(rest, timedelta(seconds=retry_after_seconds or 0))
        moved = move(task, "fail", Status.NOT_STARTED, held=held, actor=actor, deferred_until=now + rest, **kept)
        give_back_pulled(task, run.agent_id, now=now)
    else:
        moved = move(task, "fail", Status.FAILED, held=held, actor=actor, **kept)
    facts: dict[str, Any] = {"outcome": RunStatus.FAILED.value, **failure}
    record(status_changed(task, moved, held=held, actor=actor, run=run, **facts), *moved.around)
    return task


@verb(catalogue.FAIL, opens_transaction=False)
def fail_run(
    *,
    actor: "User",
    run_id: UUID,
    code: str,
    detail: str,
    retryable: bool = True,
    retry_after_seconds: int | None = None,
    external_url: str | None = None,
    usage: dict | None = None,
    ack: Sequence[str] | None = None,
) -> Task:
    """Give up this attempt. If it is retryable and attempts are left, the task comes back after a delay.

    ``retry_after_seconds``: the agent knows that an earlier attempt would fail. The task rests for that or for the
    usual delay, whichever is longer: a shorter wish never makes a failing task return faster.
    Raises ``LeaseLost`` (the body is stored as the late result), ``NotFound``, ``Invalid``.
    """
    try:
        return _fail(actor, run_id, code, detail, retryable, retry_after_seconds, external_url, usage, ack)
    except Fenced as fenced:
        late: dict[str, Any] = {"verb": "fail", "code": code, "detail": detail, "retryable": retryable}
        if retry_after_seconds is not None:
            late["retry_after_seconds"] = retry_after_seconds
        raise lease_lost(fenced.run, late=late) from None


@in_transaction
def _release(actor: "User", run_id: UUID, reason: str, checkpoint: dict | None, ack: Sequence[str] | None) -> Task:
    run = load_run(actor, run_id, "release", lock=("self",))
    return give_back(run, reason=reason, checkpoint=checkpoint, actor=actor, ack=ack)


def give_back(
    run: Run, *, reason: str, checkpoint: dict | None, actor: "User | None", ack: Sequence[str] | None = None
) -> Task:
    """End ``run``, which is locked, as released and return its task without using an attempt. Part of a running verb.

    Raises ``Fenced`` if the run has ended.
    """
    held = hold([run.task], Status.NOT_STARTED)
    if actor is not None and actor.pk == run.agent.user_id:
        take_acks(run, ack, at=held.at, actor=actor, ends=True)
    changes: dict[str, Any] = {"summary": reason}
    if checkpoint is not None:
        changes["checkpoint"] = checkpoint
    if not end_run(run, RunStatus.RELEASED, now=held.at, **changes):
        raise Fenced(run)
    moved = move(run.task, "release", Status.NOT_STARTED, held=held, actor=actor)
    give_back_pulled(run.task, run.agent_id, now=held.at)
    facts: dict[str, Any] = {"outcome": RunStatus.RELEASED.value, "note": reason}
    record(status_changed(run.task, moved, held=held, actor=actor, run=run, **facts), *moved.around)
    return run.task


@verb(catalogue.GIVE_BACK, opens_transaction=False)
def release_run(
    *,
    actor: "User",
    run_id: UUID,
    reason: str = "",
    checkpoint: dict[str, Any] | None = None,
    ack: Sequence[str] | None = None,
) -> Task:
    """Return the task without a result; it costs no attempt, and ``checkpoint`` goes to the next holder.

    Raises ``LeaseLost``, ``NotFound``.
    """
    try:
        return _release(actor, run_id, reason, checkpoint, ack)
    except Fenced as fenced:
        raise lease_lost(fenced.run) from None
