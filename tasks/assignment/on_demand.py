"""Automatic assignment of chosen tasks now, whatever the mode of their projects, and in pieces if they are many."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tasks import clock
from tasks.actions.claims import require_ready
from tasks.actions.funnel import require_legal
from tasks.actions.transactions import verb
from tasks.assignment.dispatcher import Served, explain, offer, preview
from tasks.batches import batches
from tasks.errors import Contended, DomainError, Invalid
from tasks.models import Assignment, AssignmentDecision, AssignmentSource, DecisionMode, Task
from tasks.permissions import may, require
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Waiting tasks whose record one matching on demand brings up to date.
MOST_EXPLAINED = 200
#: Rows read at a time.
SLICE = 500


@dataclass
class Sorted:
    """Chosen tasks by what stands in the way of an offer: ``waiting`` for one, ``offered`` already, or ``others``."""

    waiting: list[Task] = field(default_factory=list)
    offered: dict[int, AssignmentDecision] = field(default_factory=dict)
    others: list[Task] = field(default_factory=list)


def sort_out(tasks: Sequence[Task], now: datetime) -> Sorted:
    """Sort ``tasks`` with a few queries, however many they are."""
    held = _assigned(tasks)
    alone = {pk: rows[0][1] for pk, rows in held.items() if len(rows) == 1 and rows[0][0] == AssignmentSource.AUTO}
    decisions = _decisions(alone)
    sorted_out = Sorted()
    for task in tasks:
        if task.status in catalogue.AUTO_ASSIGN.statuses and task.pk in decisions:
            sorted_out.offered[task.pk] = decisions[task.pk]
        elif task.is_ready(now) and task.pk not in held:
            sorted_out.waiting.append(task)
        else:
            sorted_out.others.append(task)
    return sorted_out


def why_not(task: Task, now: datetime) -> DomainError:
    """Why ``task`` needs no agent: it is not ready, or somebody is assigned. Reads what it waits for."""
    try:
        require_legal(catalogue.AUTO_ASSIGN, task)
        require_ready(task, now)
    except DomainError as error:
        return error
    return Invalid({"task": "{} is assigned already."}, "Unassign it first.", about=task.ref)


def _assigned(tasks: Sequence[Task]) -> dict[int, list[tuple[str, int]]]:
    """Source and agent of the active assignments of each task that has any."""
    held: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for ids in batches((task.pk for task in tasks), SLICE):
        rows = Assignment.objects.active().filter(task__in=ids).order_by("pk")
        for task, source, agent in rows.values_list("task", "source", "agent"):
            held[task].append((source, agent))
    return held


def _decisions(offered: dict[int, int]) -> dict[int, AssignmentDecision]:
    """For each task with its agent, the newest decision that offered it to that agent."""
    newest: dict[int, AssignmentDecision] = {}
    for ids in batches(offered, SLICE):
        made = AssignmentDecision.objects.filter(task__in=ids, agent__isnull=False).order_by("pk")
        newest |= {row.task_id: row for row in made.select_related("agent") if row.agent_id == offered[row.task_id]}
    return newest


@verb(catalogue.AUTO_ASSIGN, opens_transaction=False)
def auto_assign(*, actor: "User | None", task: Task) -> AssignmentDecision:
    """Find an agent for ``task`` now, whatever the mode of its project, and offer it; the answer may be nobody.

    A task with an open offer keeps that decision. Raises ``NotPermitted``, ``IllegalTransition`` if it cannot be
    started, ``NotReady``, and ``Invalid`` if somebody was assigned to it by hand.
    """
    outcome = auto_assign_all(actor=actor, tasks=[task])[task.pk]
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


@verb(catalogue.AUTO_ASSIGN_MANY, opens_transaction=False)
def auto_assign_all(
    *, actor: "User | None", tasks: Sequence[Task], seconds: float | None = None
) -> dict[int, AssignmentDecision | DomainError]:
    """Match these tasks together now and offer them; the decision for each (by id), or why it was refused.

    Stops after about ``seconds``: tasks that are missing from the answer have not had their turn. At least one has.
    """
    now = clock.now()
    deadline = None if seconds is None else time.monotonic() + seconds
    outcomes: dict[int, AssignmentDecision | DomainError] = {}
    one_of_each = {task.project_id: task for task in tasks}
    allowed = {project: may(actor, "assign", task) for project, task in one_of_each.items()}
    for task in tasks:
        if not allowed[task.project_id]:
            outcomes[task.pk] = _refusal(actor, task)
    sorted_out = sort_out([task for task in tasks if task.pk not in outcomes], now)
    outcomes |= sorted_out.offered
    outcomes |= _match(actor, sorted_out.waiting, now, seconds)
    for task in sorted_out.others:
        if outcomes and deadline is not None and time.monotonic() > deadline:
            break
        outcomes[task.pk] = why_not(task, now)
    return outcomes


def _refusal(actor: "User | None", task: Task) -> DomainError:
    try:
        require(actor, "assign", task)
    except DomainError as error:
        return error
    return Contended("Rights to {} changed just now.", "Try again.", about=task.ref)


def _match(
    actor: "User | None", waiting: Sequence[Task], now: datetime, seconds: float | None
) -> dict[int, AssignmentDecision | DomainError]:
    """Match and offer the waiting tasks; those whose offers there was no time for are missing from the answer."""
    if not waiting:
        return {}
    served = Served()
    projects = list({task.project_id: task.project for task in waiting}.values())
    deadline = None if seconds is None else time.monotonic() + seconds
    for matching in preview(waiting):
        if deadline is not None and served.decisions:
            seconds = max(0.0, deadline - time.monotonic())
        offer(matching, projects, DecisionMode.ON_DEMAND, actor, now, served, seconds=seconds)
        left = [n for n in range(len(matching.snapshot.tasks)) if n not in matching.agent_of]
        explain(matching, left[:MOST_EXPLAINED], DecisionMode.ON_DEMAND, actor)
    outcomes: dict[int, AssignmentDecision | DomainError] = {row.task_id: row for row in served.decisions}
    nobody = [task for task in waiting if task.pk not in outcomes and task.pk not in served.left_over]
    return outcomes | _found_nobody(nobody)


def _found_nobody(tasks: Sequence[Task]) -> dict[int, AssignmentDecision | DomainError]:
    """For each, the record of nobody; if there is none, somebody was faster, and that is the reason to give."""
    outcomes: dict[int, AssignmentDecision | DomainError] = {}
    for ids in batches((task.pk for task in tasks), SLICE):
        records = AssignmentDecision.objects.filter(task__in=ids, agent__isnull=True, ended_at__isnull=True)
        outcomes |= {record.task_id: record for record in records.order_by("-pk")}
    unexplained = [task for task in tasks if task.pk not in outcomes]
    version_of = {task.pk: task.version for task in unexplained}
    held = _assigned(unexplained)
    now = clock.now()
    for ids in batches((task.pk for task in unexplained), SLICE):
        versions = dict(Task.objects.filter(pk__in=ids).values_list("pk", "version"))
        changed = [pk for pk in ids if pk in held or versions.get(pk) != version_of[pk]]
        fresh = list(Task.objects.select_related("project").filter(pk__in=changed))
        sorted_out = sort_out(fresh, now)
        faster = {*sorted_out.offered, *(task.pk for task in sorted_out.others)}
        outcomes |= {task.pk: why_not(task, now) for task in fresh if task.pk in faster}
    for task in unexplained:
        outcomes.setdefault(task.pk, Contended("{} found no free slot just now.", "Try again.", about=task.ref))
    return outcomes
