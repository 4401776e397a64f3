"""Automatic assignment at work: read, match, offer, record why. Any number of dispatchers may run.

What was read may be out of date when it is written: an offer is made only if nothing changed since the matching.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings

from tasks import clock
from tasks.actions.claims import require_ready
from tasks.actions.funnel import load_task, require_legal, verb
from tasks.actions.offering import Offer, offer_tasks, record_nobody
from tasks.assignment.candidates import accept_within, is_waiting, read_snapshot
from tasks.assignment.experience import Experience
from tasks.errors import Contended, DomainError, Invalid
from tasks.matching import words
from tasks.matching.facts import AgentFacts
from tasks.matching.matching import Matching, match
from tasks.matching.policies import DEFAULT, Policy, named
from tasks.matching.records import record_of, verdict_of
from tasks.matching.working_hours import after_working, parse, zone_named
from tasks.models import (
    Agent,
    AgentKind,
    Assignment,
    AssignmentDecision,
    AssignmentSource,
    DecisionMode,
    Project,
    Task,
)
from tasks.permissions import require
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Offers to one agent in one transaction.
AT_ONCE = 50
#: After this long the engine matches again: what it read is out of date, and something urgent may have arrived.
OFFERING_SECONDS = 5.0
#: Waiting tasks whose record one matching brings up to date; later matchings update the others.
EXPLAINED = 50
#: The same for a matching on demand.
MOST_EXPLAINED = 200


@dataclass
class Served:
    """What one matching did. ``missed``: offers that came too late because something had changed."""

    decisions: list[AssignmentDecision] = field(default_factory=list)
    missed: int = 0
    waiting: int = 0


def policy_of(project: Project) -> Policy:
    """The project's policy; the default if its name is no longer known."""
    policy = named(project.policy) or named(DEFAULT)
    assert policy is not None
    return policy


def serve(
    projects: Sequence[Project],
    experience: Experience,
    *,
    explained: dict[int, datetime] | None = None,
    explain_again: datetime | None = None,
) -> Served:
    """Match what waits in ``projects`` and offer it. Projects of one policy are matched together, by their shares.

    ``explained``: when each waiting task was last explained; those explained since ``explain_again`` are skipped.
    """
    served = Served()
    by_policy: dict[str, list[Project]] = defaultdict(list)
    for project in projects:
        by_policy[policy_of(project).name].append(project)
    for _, group in sorted(by_policy.items(), key=lambda item: (-max(p.share_weight for p in item[1]), item[0])):
        now = clock.now()
        snapshot = read_snapshot(group, now, experience)
        if not snapshot.tasks:
            continue
        matching = match(snapshot, policy_of(group[0]))
        _offer(matching, group, DecisionMode.AUTO, None, now, served)
        known = explained if explained is not None else {}
        left = [n for n in range(len(snapshot.tasks)) if n not in matching.agent_of]
        served.waiting += len(left)
        due = [n for n in left if explain_again is None or known.get(snapshot.tasks[n].id, _LONG_AGO) <= explain_again]
        _explain(matching, due[:EXPLAINED], DecisionMode.AUTO, None)
        known.update({snapshot.tasks[n].id: now for n in due[:EXPLAINED]})
    return served


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def preview(tasks: Sequence[Task], experience: Experience | None = None) -> list[Matching]:
    """How these tasks would be matched now, one matching per policy; nothing is written."""
    experience, now = experience or Experience(), clock.now()
    by_policy: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_policy[policy_of(task.project).name].append(task)
    matchings = []
    for _, group in sorted(by_policy.items()):
        projects = list({task.project_id: task.project for task in group}.values())
        snapshot = read_snapshot(projects, now, experience, tasks=[task.pk for task in group])
        matchings.append(match(snapshot, policy_of(projects[0])))
    return matchings


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
def auto_assign_all(*, actor: "User | None", tasks: Sequence[Task]) -> dict[int, AssignmentDecision | DomainError]:
    """Match these tasks together now and offer them; the decision for each (by id), or why it was refused."""
    now = clock.now()
    outcomes: dict[int, AssignmentDecision | DomainError] = {}
    chosen = []
    for task in tasks:
        try:
            require(actor, "assign", task)
            require_legal(catalogue.AUTO_ASSIGN, task)
            if offered := _offered_already(task):
                outcomes[task.pk] = offered
                continue
            require_waiting(task, now)
            chosen.append(task)
        except DomainError as error:
            outcomes[task.pk] = error
    served = Served()
    projects = list({task.project_id: task.project for task in chosen}.values())
    for matching in preview(chosen) if chosen else ():
        _offer(matching, projects, DecisionMode.ON_DEMAND, actor, now, served)
        left = [n for n in range(len(matching.snapshot.tasks)) if n not in matching.agent_of]
        _explain(matching, left[:MOST_EXPLAINED], DecisionMode.ON_DEMAND, actor)
    outcomes |= {decision.task_id: decision for decision in served.decisions}
    for task in chosen:
        if task.pk not in outcomes:
            outcomes[task.pk] = _found_nobody(task)
    return outcomes


def _found_nobody(task: Task) -> AssignmentDecision | DomainError:
    """The record of nobody; if there is none, somebody was faster, and that is the reason to give."""
    waits = AssignmentDecision.objects.filter(task=task, agent__isnull=True, ended_at__isnull=True).first()
    if waits is not None:
        return waits
    try:
        require_waiting(load_task(task), clock.now())
    except DomainError as error:
        return error
    return Contended("{} found no free slot just now.", "Try again.", about=task.ref)


def require_waiting(task: Task, now: datetime) -> None:
    """Raise the reason why ``task`` needs no agent: it is not ready, or somebody is assigned."""
    require_legal(catalogue.AUTO_ASSIGN, task)
    require_ready(task, now)
    if not is_waiting(task, now):
        raise Invalid({"task": "{} is assigned already."}, "Unassign it first.", about=task.ref)


def _offered_already(task: Task) -> AssignmentDecision | None:
    active = Assignment.objects.active().filter(task=task)
    sources = list(active.values_list("source", "agent"))
    if len(sources) != 1 or sources[0][0] != AssignmentSource.AUTO:
        return None
    made = AssignmentDecision.objects.filter(task=task, agent=sources[0][1])
    return made.select_related("agent").order_by("-pk").first()


def _offer(
    matching: Matching,
    projects: Iterable[Project],
    mode: DecisionMode,
    actor: "User | None",
    now: datetime,
    served: Served,
) -> None:
    """Write the offers grouped by agent, so that its row is locked once per portion."""
    by_id = {project.pk: project for project in projects}
    by_agent: dict[int, list[int]] = defaultdict(list)
    for task, agent in sorted(matching.agent_of.items()):
        by_agent[agent].append(task)
    deadline = time.monotonic() + OFFERING_SECONDS
    for agent, tasks in by_agent.items():
        if mode == DecisionMode.AUTO and time.monotonic() > deadline:
            served.missed += len(tasks)
            continue
        facts = matching.snapshot.agents[agent]
        for start in range(0, len(tasks), AT_ONCE):
            portion = tasks[start : start + AT_ONCE]
            offers = [
                Offer(
                    matching.snapshot.tasks[task].id,
                    matching.snapshot.tasks[task].version,
                    _accept_by(by_id[matching.snapshot.tasks[task].project], facts, now),
                    decision_of(matching, task, mode),
                )
                for task in portion
            ]
            done = offer_tasks(actor=actor, agent=facts.id, offers=offers)
            served.decisions += done
            served.missed += len(portion) - len(done)


def _accept_by(project: Project, facts: AgentFacts, now: datetime) -> datetime:
    kind = AgentKind.HUMAN if facts.is_human else AgentKind.LLM
    within = accept_within(project, kind)
    if not facts.is_human:
        return now + within
    hours, zone = Agent.objects.values_list("working_hours", "time_zone").get(pk=facts.id)
    return after_working(
        parse(hours), zone_named(zone, default=settings.TIME_ZONE), now, within.total_seconds()
    ).astimezone(UTC)


def decision_of(matching: Matching, task: int, mode: DecisionMode) -> AssignmentDecision:
    """The decision on a task (by index), not yet stored."""
    made = record_of(matching, task)
    lasting = made.agent is None and words.is_lasting(made.rows, made.others)
    return AssignmentDecision(
        task_id=matching.snapshot.tasks[task].id,
        at=datetime.fromtimestamp(matching.snapshot.now, UTC),
        mode=mode,
        policy=matching.policy.name,
        policy_version=matching.policy.version,
        agent_id=made.agent,
        score=made.score,
        margin=made.margin,
        terms=made.terms,
        candidates=made.rows,
        others=made.others,
        warning=words.why_nobody(made.rows, made.others)[:300] if lasting else "",
    )


def _explain(matching: Matching, numbers: Sequence[int], mode: DecisionMode, actor: "User | None") -> None:
    """Record why these tasks (by index) wait, if that differs from what is already recorded."""
    if not numbers:
        return
    ids = [matching.snapshot.tasks[n].id for n in numbers]
    kept = {
        old.task_id: verdict_of(old.candidates, old.others)
        for old in AssignmentDecision.objects.filter(task__in=ids, agent__isnull=True, ended_at__isnull=True)
    }
    new = []
    for n in numbers:
        decision = decision_of(matching, n, mode)
        if kept.get(decision.task_id) != verdict_of(decision.candidates, decision.others):
            new.append(decision)
    if new:
        record_nobody(actor=actor, decisions=new)
