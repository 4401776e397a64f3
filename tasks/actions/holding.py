"""What every call of a run's holder begins with: the run is theirs and active, and the lease is renewed.

Each write is one conditional UPDATE on the run's id and being active. If it changes no row, the lease is lost: nothing
changes, the reason is returned, and the body of a late complete or fail is stored on the run. From the delivery of a
stop on, every write is refused but those that end the run, and acknowledgement.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from taskproject.prepared.querysets import prepared, prepared_update
from tasks import clock
from tasks.actions.artifacts import NewArtifact, store_artifacts
from tasks.actions.directives import queue
from tasks.actions.directives.delivery import deliver
from tasks.actions.directives.instructions import instructions
from tasks.actions.transactions import in_transaction
from tasks.errors import LeaseLost, NotFound, StopRequested
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, Membership, Run, RunStatus
from tasks.permissions import agent_of, require, within_reach

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: How somebody else may have ended a run whose holder keeps working: the late result is stored.
LATE_IS_KEPT = (RunStatus.EXPIRED, RunStatus.REVOKED, RunStatus.CANCELLED, RunStatus.RELEASED)
MILLIONTH = Decimal("0.000001")
NO_SUCH_RUN = "You have no such run."


class Fenced(Exception):
    """The run had ended before the write."""

    def __init__(self, run: Run) -> None:
        self.run = run


class Stopped(Exception):
    """The holder was told to stop before the write."""

    def __init__(self, run: Run) -> None:
        self.run = run


#: What the holder may still do once it was told to stop.
AFTER_A_STOP = frozenset({"complete", "fail", "release"})


def _shown(runs: QuerySet[Run], user: Any, reach: Any, *, limited: bool, lock: tuple[str, ...]) -> QuerySet[Run]:
    """Runs with their tasks and projects, the role of their agent's user there, and the time when they were read."""
    runs = runs.select_related("task__project")
    role = Membership.objects.filter(user=user, project=OuterRef("task__project")).order_by().values("role")
    runs = runs.annotate(role=Subquery(role), read_at=clock.Clock())
    if limited:
        runs = runs.filter(task__project__id__any=reach)
    return runs.select_for_update(of=lock, no_key=True) if lock else runs


@prepared
def _run_of(run: Any, agent: Any, user: Any, reach: Any, *, limited: bool, lock: tuple[str, ...]) -> QuerySet[Run]:
    runs = Run.objects.filter(pk=run, agent=agent).order_by()
    return _shown(runs, user, reach, limited=limited, lock=lock)


@prepared
def _runs_of(runs: Any, agent: Any, user: Any, reach: Any, *, limited: bool) -> QuerySet[Run]:
    # In the order in which every verb locks runs.
    chosen = Run.objects.filter(pk__any=runs, agent=agent).order_by("pk")
    return _shown(chosen, user, reach, limited=limited, lock=("self",))


@prepared_update
def _held(run: Any) -> QuerySet[Run]:
    return Run.objects.filter(pk=run, ended_at__isnull=True, stop_delivered_at__isnull=True)


def load_run(actor: "User", run_id: UUID, verb: str, *, lock: Sequence[str] = (), acknowledges: bool = False) -> Run:
    """The caller's run with task, project and agent. Somebody else's run is not found: its id is a secret.

    ``lock``: what is locked, in this order: ``self`` (the run) and ``task``. ``acknowledges``: the call may do so after
    a stop, when it may do nothing else. Raises ``Fenced``, ``Stopped``, ``NotFound``.
    """
    agent = agent_of(actor)
    run: Any = None
    if agent is not None:
        run = _run_of.first(run=UUID(str(run_id)), agent=agent.pk, lock=tuple(lock), **within_reach(actor))
    if run is None or agent is None:
        raise NotFound(NO_SUCH_RUN)
    run.agent = agent
    if run.ended_at is not None:
        raise Fenced(run)
    require(actor, verb, run.task, run=run, member=run.role)
    if run.stop_delivered_at is not None and verb not in AFTER_A_STOP and not acknowledges:
        raise Stopped(run)
    return run


def load_runs(actor: "User", ids: Sequence[UUID]) -> dict[UUID, Run]:
    """Those of the caller's runs that have these ids, by id, locked, as ``load_run`` loads one; ended ones, too."""
    agent = agent_of(actor)
    if agent is None:
        return {}
    chosen = [UUID(str(each)) for each in ids]
    runs: list[Run] = _runs_of.all(runs=chosen, agent=agent.pk, **within_reach(actor))
    for run in runs:
        run.agent = agent
    return {run.pk: run for run in runs}


def time_of(run: Run) -> datetime:
    """When ``run`` was read by ``load_run``: the time of a call that locks nothing, and so has not waited since."""
    return clock.read(run.read_at)  # type: ignore[attr-defined]  # annotated


def lease_lost(run: Run, *, late: dict[str, Any] | None = None, artifacts: Sequence[NewArtifact] = ()) -> LeaseLost:
    """The refusal of a stale write; stores ``late`` on the run with its ``artifacts``, the first one only."""
    current = Run.objects.select_related("task__project").filter(pk=run.pk).first()
    if current is None:
        raise NotFound(NO_SUCH_RUN)
    kept = late is not None and current.status in LATE_IS_KEPT and _keep_late(current, late, run.agent, artifacts)
    return LeaseLost(current.task.ref, current.status, kept=kept)


def stop_requested(run: Run) -> StopRequested | LeaseLost:
    """The refusal of a write after a stop. It brings the directives, like any reply to the holder."""
    brought = deliver([run], actor=run.agent.user)
    current = Run.objects.select_related("task__project").get(pk=run.pk)
    if current.ended_at is not None:
        return LeaseLost(current.task.ref, current.status)
    return StopRequested(current.task.ref, brought.get(run.pk, []), current.lease_expires_at)


def take_acks(run: Run, ack: Sequence[str] | None, *, at: datetime, actor: "User", ends: bool = False) -> None:
    """Acknowledge directives as part of a call on ``run``, which is locked; ``ends``: the holder then ends it, which
    acknowledges the stop that it got. Raises ``Invalid`` for an unknown id.
    """
    if ack:
        queue.acknowledge(run, ack, at=at, actor=actor)
    if ends and run.stop_delivered_at is not None:
        instructions.obey_stops(run, at=at, actor=actor)


@in_transaction
def _keep_late(run: Run, late: dict[str, Any], agent: Agent, artifacts: Sequence[NewArtifact]) -> bool:
    """Store ``late`` on the ended run unless it has a late result; whether it has one now."""
    locked = Run.objects.select_related("task").select_for_update(of=("self", "task"), no_key=True)
    current = locked.filter(pk=run.pk).first()
    if current is None:
        raise NotFound(NO_SUCH_RUN)
    if current.late_result is None:
        now = clock.now()
        Run.objects.filter(pk=run.pk).update(late_result=late, late_result_at=now)
        store_artifacts(current, artifacts, at=now, is_late=True)
        record(
            event(
                kinds.RUN_LATE_RESULT_KEPT,
                at=now,
                actor=agent.user,
                task=run.task,
                run=current,
                agent=agent,
                verb=late["verb"],
            )
        )
    return True


def renewal(run: Run, now: datetime, lease_seconds: int | None = None) -> dict[str, Any]:
    """The columns that every call on an active run writes."""
    changes: dict[str, Any] = {"last_heartbeat_at": now}
    if run.lease_seconds is not None:
        seconds = lease_seconds or run.lease_seconds
        changes |= {"lease_seconds": seconds, "lease_expires_at": now + timedelta(seconds=seconds)}
    return changes


def used(run: Run, usage: dict[str, Any] | None) -> dict[str, Any]:
    """The columns of ``run``, which is locked, changed by a report of ``usage``: ``input_tokens``, ``output_tokens``,
    ``cost``.
    """
    changes: dict[str, Any] = {}
    for name, value in (usage or {}).items():
        more = Decimal(str(value)).quantize(MILLIONTH) if name == "cost" else value
        changes[name] = getattr(run, name) + more
    return changes


def write_run(run: Run, changes: dict[str, Any]) -> None:
    """The conditional UPDATE of an active run. Raises ``Fenced`` if it has ended, ``Stopped`` after a stop."""
    if not _held(changes, run=run.pk):
        raise Stopped(run) if Run.objects.active().filter(pk=run.pk).exists() else Fenced(run)
    for name, value in changes.items():
        if not hasattr(value, "resolve_expression"):
            setattr(run, name, value)
