"""Offers: what automatic assignment gives an agent until it claims; they can be declined, and they lapse.

The lock order is that of all verbs: the agent, then the tasks by id, then what belongs to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from tasks import clock, limits
from tasks.actions.funnel import end_records_of_nobody, load_task, require_legal, slugs, touch
from tasks.actions.locking import lock_tasks
from tasks.actions.timekeeping import ends_before
from tasks.actions.transactions import in_transaction, verb
from tasks.errors import NotAssignee, NotPermitted
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.matching.working_hours import after_working, parse, zone_named
from tasks.models import (
    Agent,
    AgentKind,
    Assignment,
    AssignmentDecision,
    AssignmentEnd,
    AssignmentSource,
    Availability,
    Event,
    Membership,
    Project,
    Run,
    Task,
)
from tasks.permissions import agent_of, may_in_project
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BATCH = 200


@dataclass(frozen=True)
class Offer:
    """A task (by id) that was matched to an agent: its version then, how long the offer stands, and the decision."""

    project: Project
    task: int
    version: int
    accept_by: datetime
    decision: AssignmentDecision


@in_transaction
def offer_tasks(*, actor: "User | None", agent: int, offers: Sequence[Offer]) -> list[AssignmentDecision]:
    """Offer tasks to an agent (by id), as long as nothing has changed since they were matched.

    Tasks that have changed or were taken meanwhile are left out, and so is what exceeds the agent's capacity or the
    limits of a project: the next matching sees them as they are then. Returns the decisions that were carried out.
    """
    locked = Agent.objects.select_for_update(no_key=True).get(pk=agent)
    if not locked.enabled or locked.availability != Availability.AVAILABLE:
        return []
    load = Run.objects.active().filter(agent=locked).count()
    load += Assignment.objects.unstarted().filter(agent=locked).count()
    free = locked.max_concurrent - load
    if free <= 0:
        return []
    headroom = limits.headroom_of({offer.project for offer in offers}, lock=True, offered=True)
    lock_tasks(offer.task for offer in offers)
    now = clock.now()
    tasks = _still_waiting([offer.task for offer in offers], now)
    for project in {task.project_id: task.project for task in tasks.values()}.values():
        if not may_in_project(actor, "assign", project):
            raise NotPermitted(f"Only a manager of {project.key} may assign its tasks.")
    works_in = set(
        Membership.objects.filter(user=locked.user_id, project__in={task.project_id for task in tasks.values()})
        .taking_work()
        .values_list("project", flat=True)
    )
    valid = [
        offer
        for offer in offers
        if offer.task in tasks
        and tasks[offer.task].version == offer.version
        and tasks[offer.task].project_id in works_in
    ]
    fitting = {task.pk for task in limits.within((tasks[offer.task] for offer in valid), headroom)}
    valid = [offer for offer in valid if offer.task in fitting][:free]
    ids = [offer.task for offer in valid]
    if not ids:
        return []
    Assignment.objects.bulk_create(
        [
            Assignment(
                task_id=offer.task,
                agent=locked,
                source=AssignmentSource.AUTO,
                assigned_by=actor,
                created_at=now,
                accept_by=_stands_until(offer, now),
            )
            for offer in valid
        ]
    )
    end_records_of_nobody(ids, now)
    decisions = [offer.decision for offer in valid]
    events = [_offered(tasks[offer.task], locked, offer, actor, now) for offer in valid]
    for decision in decisions:
        decision.at, decision.agent = now, locked
    AssignmentDecision.objects.bulk_create(decisions)
    touch(ids, now)
    record(*events)
    return decisions


def _still_waiting(ids: Sequence[int], now: datetime) -> dict[int, Task]:
    """Which of these locked tasks, by id, still need an agent."""
    ready = Task.objects.ready(now).unassigned().filter(pk__in=ids)
    return {task.pk: task for task in ready.select_related("project")}


def accept_by(agent: Agent, project: Project, now: datetime) -> datetime:
    """Until when an offer stands that is made to ``agent`` now; for people only working time counts."""
    if agent.kind != AgentKind.HUMAN:
        return now + timedelta(seconds=project.accept_within_llm_seconds)
    zone = zone_named(agent.time_zone, default=settings.TIME_ZONE)
    within = float(project.accept_within_human_seconds)
    return after_working(parse(agent.working_hours), zone, now, within).astimezone(UTC)


def _stands_until(offer: Offer, now: datetime) -> datetime:
    """The time that the matching took does not count against the agent."""
    return offer.accept_by + max(timedelta(0), now - offer.decision.at)


def _offered(task: Task, agent: Agent, offer: Offer, actor: "User | None", now: datetime) -> Event:
    figures: dict[str, Any] = {"score": offer.decision.score, "margin": offer.decision.margin}
    return event(
        kinds.TASK_ASSIGNED,
        at=now,
        actor=actor,
        task=task,
        agent=agent,
        agents=[agent.slug],
        source=AssignmentSource.AUTO.value,
        accept_by=_stands_until(offer, now).isoformat(),
        **{name: value for name, value in figures.items() if value is not None},
    )


@in_transaction
def record_nobody(*, actor: "User | None", decisions: Sequence[AssignmentDecision]) -> None:
    """Record why nobody was found for these tasks: one open record each, kept up to date.

    If somebody has to act (the decision has a warning), that is reported once per wait. A task that was offered or
    started meanwhile is left out.
    """
    lock_tasks(decision.task_id for decision in decisions)
    now = clock.now()
    tasks = _still_waiting([decision.task_id for decision in decisions], now)
    decisions = [decision for decision in decisions if decision.task_id in tasks]
    if not decisions:
        return
    open_ones = {
        old.task_id: old
        for old in AssignmentDecision.objects.filter(task__in=tasks, agent__isnull=True, ended_at__isnull=True)
    }
    changed, new, events = [], [], []
    for decision in decisions:
        decision.at = now
        old = open_ones.get(decision.task_id)
        before = old.warning if old is not None else ""
        if decision.warning != before:
            changed.append(decision.task_id)
            kind = kinds.TASK_NOBODY_FOUND if decision.warning and not before else kinds.TASK_WARNING_CHANGED
            events.append(event(kind, at=now, actor=actor, task=tasks[decision.task_id], note=decision.warning))
        if old is None:
            new.append(decision)
        else:
            decision.pk = old.pk
            decision.save(force_update=True)
    AssignmentDecision.objects.bulk_create(new)
    # The warning is shown on the task's card, so the task's version changes with it.
    touch(changed, now)
    record(*events)


@verb(catalogue.DECLINE)
def decline_task(*, actor: "User", task: Task, reason: str) -> Task:
    """An assignee returns an assignment before starting; automatic assignment never offers it the task again.

    Repeating it changes nothing. Raises ``NotAssignee``, ``NotPermitted`` if the actor is not an agent, ``Invalid``
    without a reason, ``IllegalTransition`` if the task cannot be started.
    """
    agent = agent_of(actor)
    if agent is None:
        raise NotPermitted("Only agents work on tasks; there is nothing for you to decline.")
    task = load_task(task, lock=True)
    mine = Assignment.objects.filter(task=task, agent=agent)
    if not mine.active().exists():
        last = mine.order_by("-pk").first()
        if last is not None and last.end_reason == AssignmentEnd.DECLINED:
            return task
        raise NotAssignee(f"{task.ref} is not assigned to you; there is nothing to decline.")
    require_legal(catalogue.DECLINE, task)
    now = clock.now()
    mine.active().update(ended_at=now, end_reason=AssignmentEnd.DECLINED, end_note=reason)
    touch([task.pk], now)
    task.updated_at, task.version = now, task.version + 1
    record(event(kinds.TASK_DECLINED, at=now, actor=actor, task=task, agent=agent, note=reason))
    return task


def lapse_offers(limit: int = BATCH) -> list[int]:
    """End the offers whose time to accept has passed; returns the ids of their tasks. Safe beside other engines.

    Starting the task accepts the offer: it never lapses, whatever happens to the run.
    """
    # Run every second, so without a transaction, which on SQLite would hold up all writers.
    if not _due().exists():
        return []
    return _lapse(limit)


def _due() -> QuerySet[Assignment]:
    return Assignment.objects.active().filter(accept_by__lte=ends_before(clock.now()))


@in_transaction
def _lapse(limit: int) -> list[int]:
    due = _due()
    begun = Run.objects.filter(task=OuterRef("task"), agent=OuterRef("agent"), started_at__gte=OuterRef("created_at"))
    over = due.filter(Exists(begun) | Q(task__status=Status.NOT_STARTED)).order_by("accept_by")
    lapsing = list(over.values_list("pk", "task")[:limit])
    if not lapsing:
        return []
    statuses = lock_tasks(task for _, task in lapsing)
    now = clock.now()
    due.filter(Exists(begun), pk__in=[pk for pk, _ in lapsing]).update(accept_by=None)
    still = [pk for pk, task in lapsing if statuses.get(task) == Status.NOT_STARTED]
    rows = due.filter(~Exists(begun), pk__in=still).select_related("task__project", "agent__user")
    lapsed: dict[Task, list[Agent]] = {}
    for assignment in rows.order_by("pk"):
        ended = Assignment.objects.filter(pk=assignment.pk, ended_at__isnull=True).update(
            ended_at=now, end_reason=AssignmentEnd.LAPSED
        )
        if ended:
            lapsed.setdefault(assignment.task, []).append(assignment.agent)
    ids = [task.pk for task in lapsed]
    touch(ids, now)
    record(
        *(
            event(
                kinds.TASK_OFFER_LAPSED,
                at=now,
                actor=None,
                task=task,
                agent=agents[0] if len(agents) == 1 else None,
                agents=slugs(agents),
            )
            for task, agents in lapsed.items()
        )
    )
    return ids
