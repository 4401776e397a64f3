"""Automatic assignment at work: read, match, offer, record why. Any number of dispatchers may run.

What was read may be out of date when it is written: an offer is made only if nothing changed since the matching.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks import clock
from tasks.actions.offering import Offer, accept_by, offer_tasks, record_nobody
from tasks.assignment.candidates import read_snapshot
from tasks.assignment.experience import Experience
from tasks.matching import words
from tasks.matching.facts import AgentFacts
from tasks.matching.matching import Matching, match
from tasks.matching.policies import DEFAULT, Policy, named
from tasks.matching.records import record_of, verdict_of
from tasks.models import (
    Agent,
    AgentKind,
    AssignmentDecision,
    DecisionMode,
    Project,
    Task,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Offers to one agent in one transaction.
AT_ONCE = 50
#: After this long the engine matches again: what it read is out of date, and something urgent may have arrived.
OFFERING_SECONDS = 5.0
#: Waiting tasks whose record one matching brings up to date; later matchings update the others.
EXPLAINED = 50


@dataclass
class Served:
    """What one matching did. ``missed``: offers that came too late because something had changed.

    ``left_over``: ids of tasks whose offers there was no time to write.
    """

    decisions: list[AssignmentDecision] = field(default_factory=list)
    missed: int = 0
    left_over: set[int] = field(default_factory=set)
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
        offer(matching, group, DecisionMode.AUTO, None, now, served, seconds=OFFERING_SECONDS)
        known = explained if explained is not None else {}
        left = [n for n in range(len(snapshot.tasks)) if n not in matching.agent_of]
        served.waiting += len(left)
        due = [n for n in left if explain_again is None or known.get(snapshot.tasks[n].id, _LONG_AGO) <= explain_again]
        explain(matching, due[:EXPLAINED], DecisionMode.AUTO, None)
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


def offer(
    matching: Matching,
    projects: Iterable[Project],
    mode: DecisionMode,
    actor: "User | None",
    now: datetime,
    served: Served,
    *,
    seconds: float | None = None,
) -> None:
    """Write the offers grouped by agent, so that its row is locked once per portion.

    Those that are not written within ``seconds`` are left to the next matching; the first always are.
    """
    by_id = {project.pk: project for project in projects}
    by_agent: dict[int, list[int]] = defaultdict(list)
    for task, agent in sorted(matching.agent_of.items()):
        by_agent[agent].append(task)
    deadline = None if seconds is None else time.monotonic() + seconds
    for agent, tasks in by_agent.items():
        facts = matching.snapshot.agents[agent]
        for start in range(0, len(tasks), AT_ONCE):
            if deadline is not None and served.decisions and time.monotonic() > deadline:
                served.left_over.update(matching.snapshot.tasks[task].id for task in tasks[start:])
                served.missed += len(tasks) - start
                break
            portion = tasks[start : start + AT_ONCE]
            offers = [
                Offer(
                    by_id[matching.snapshot.tasks[task].project],
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
    agent = Agent.objects.get(pk=facts.id) if facts.is_human else Agent(pk=facts.id, kind=AgentKind.LLM)
    return accept_by(agent, project, now)


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


def explain(matching: Matching, numbers: Sequence[int], mode: DecisionMode, actor: "User | None") -> None:
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
