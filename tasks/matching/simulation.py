"""What a policy would have done: a discrete-event simulation in memory with the same policies and the same matching.

Work arrives, is matched, takes time by the agent's slowness and is accepted by its quality; evidence accumulates as
it does in production. Chance is drawn for each task and agent, not in the order of events, so that all policies have
the same luck (common random numbers; Law, *Simulation Modeling and Analysis*, chapter 11).
"""

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from tasks.matching.facts import FAILED, NOTHING, AgentFacts, Evidence, Snapshot, TaskFacts, prior
from tasks.matching.matching import match
from tasks.matching.policies import Policy

HOUR: Final = 3600.0
ATTEMPTS: Final = 3
#: Changes this close together are served by one matching, as in production but a little more coarsely.
GATHER_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Load:
    """Work in order of arrival, and the team that does it.

    ``slowness`` and ``quality``, by agent (and skill), are the true values, which policies do not see.
    """

    tasks: tuple[TaskFacts, ...]
    agents: tuple[AgentFacts, ...]
    slowness: Mapping[int, float]
    quality: Mapping[tuple[int, int | None], float]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a load under one policy. Times in hours; shares from 0 to 1.

    ``has_due``: whether any task had a due date, without which ``overdue_share`` says nothing.
    """

    policy: str
    tasks: int
    finished: int
    mean_hours: float
    p95_hours: float
    overdue_share: float
    utilisation: float
    gini: float
    has_due: bool = True

    def as_dict(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass
class _World:
    """The state of a simulation."""

    load: Load
    seed: int
    free: dict[int, AgentFacts]
    waiting: dict[int, TaskFacts] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    done_at: dict[int, float] = field(default_factory=dict)
    busy: dict[int, float] = field(default_factory=dict)

    def luck(self, what: str, task: int, agent: int) -> random.Random:
        return random.Random(f"{self.seed}-{what}-{task}-{agent}")

    def hours(self, task: TaskFacts, agent: int) -> float:
        """How long this agent takes for this task."""
        noise = self.luck("hours", task.id, agent).lognormvariate(0, 0.3)
        return task.hours * self.load.slowness[agent] * noise

    def is_accepted(self, task: TaskFacts, agent: int) -> bool:
        skills: list[int | None] = [skill for skill, _ in task.needs] or [None]
        quality = min(self.load.quality[agent, skill] for skill in skills)
        return self.luck(f"quality-{self.attempts.get(task.id, 0)}", task.id, agent).random() < quality


def simulate(load: Load, policy: Policy, *, seed: int = 0, report: Callable[[int], Any] | None = None) -> Outcome:
    """Run all of ``load`` under ``policy``; ``report`` is called with the number of tasks that have ended."""
    world = _World(load, seed, {agent.id: agent for agent in load.agents})
    order = itertools.count()
    events: list[tuple[float, int, TaskFacts, int | None]] = []
    for task in load.tasks:
        heapq.heappush(events, (task.waiting_since, next(order), task, None))
    start, end = (load.tasks[0].waiting_since, load.tasks[-1].waiting_since) if load.tasks else (0.0, 0.0)
    while events:
        now = events[0][0] + GATHER_SECONDS
        ended = 0
        while events and events[0][0] <= now:
            at, _, task, agent = heapq.heappop(events)
            if agent is None:
                world.waiting[task.id] = task
            else:
                ended += _finish(world, task, agent, at)
        if report is not None and ended:
            report(ended)
        for task, agent in _assign(world, policy, now):
            took = world.hours(task, agent) * HOUR
            # Counted while work still arrives: the time in which the last few tasks trickle out says little.
            world.busy[agent] = world.busy.get(agent, 0.0) + max(0.0, min(took, end - now))
            heapq.heappush(events, (now + took, next(order), task, agent))
    return _outcome(world, policy, start, end)


def _assign(world: _World, policy: Policy, now: float) -> list[tuple[TaskFacts, int]]:
    if not world.waiting or all(agent.free <= 0 for agent in world.free.values()):
        return []
    snapshot = Snapshot(now, tuple(world.waiting.values()), tuple(world.free.values()))
    begun = []
    for task, agent in match(snapshot, policy).agent_of.items():
        facts, who = snapshot.tasks[task], snapshot.agents[agent].id
        del world.waiting[facts.id]
        held = world.free[who]
        world.free[who] = replace(held, active_runs=held.active_runs + 1, idle_since=now, last_offered=now)
        begun.append((facts, who))
    return begun


def _finish(world: _World, task: TaskFacts, agent: int, at: float) -> bool:
    """End a run; returns whether the task ended with it."""
    accepted = world.is_accepted(task, agent)
    held = world.free[agent]
    learned = dict(held.evidence)
    pace = world.hours(task, agent) / task.hours
    for key in (None, *(skill for skill, _ in task.needs)):
        old = learned.get(key, NOTHING)
        learned[key] = Evidence(old.accepted + accepted, old.rejected + (not accepted), old.pace + pace, old.paced + 1)
    world.free[agent] = replace(held, active_runs=held.active_runs - 1, evidence=learned)
    if accepted:
        world.done_at[task.id] = at
        return True
    world.attempts[task.id] = world.attempts.get(task.id, 0) + 1
    if world.attempts[task.id] >= ATTEMPTS:
        return True
    world.waiting[task.id] = replace(task, barred={**task.barred, agent: FAILED})
    return False


def _outcome(world: _World, policy: Policy, start: float, end: float) -> Outcome:
    tasks = {task.id: task for task in world.load.tasks}
    flows = sorted((at - tasks[pk].waiting_since) / HOUR for pk, at in world.done_at.items())
    due = [task for task in tasks.values() if task.due_at is not None]
    late = sum(world.done_at.get(task.id, float("inf")) > task.due_at for task in due if task.due_at is not None)
    span = max(end - start, 1.0)
    shares = [world.busy.get(agent.id, 0.0) / (span * agent.capacity) for agent in world.load.agents]
    return Outcome(
        policy=policy.name,
        tasks=len(tasks),
        finished=len(flows),
        mean_hours=sum(flows) / len(flows) if flows else 0.0,
        p95_hours=flows[min(len(flows) - 1, int(0.95 * len(flows)))] if flows else 0.0,
        overdue_share=late / len(due) if due else 0.0,
        utilisation=sum(shares) / len(shares) if shares else 0.0,
        gini=gini(shares),
        has_due=bool(due),
    )


def gini(values: list[float]) -> float:
    """How unevenly ``values`` are spread: 0 if all are equal, towards 1 if one has everything (Gini, 1912)."""
    ranked, total = sorted(values), sum(values)
    if not ranked or total <= 0:
        return 0.0
    weighted = sum(place * value for place, value in enumerate(ranked, start=1))
    return max(0.0, 2 * weighted / (len(ranked) * total) - (len(ranked) + 1) / len(ranked))


def synthetic(
    *, seed: int = 0, tasks: int = 600, agents: int = 12, load: float = 1.0, hours: float = 24.0, skills: int = 5
) -> Load:
    """A synthetic team and ``tasks`` over ``hours``, whose work is ``load`` times what the team can do in that time.

    Estimates are spread realistically, many short and some long; due dates leave four to twelve times the estimate,
    and at least an hour.
    """
    dice = random.Random(seed)
    team: list[AgentFacts] = []
    slowness: dict[int, float] = {}
    quality: dict[tuple[int, int | None], float] = {}
    for number in range(1, agents + 1):
        levels = {skill: dice.randint(1, 5) for skill in dice.sample(range(skills), max(1, skills // 2 + 1))}
        team.append(AgentFacts(number, f"agent-{number}", dice.randint(1, 3), projects=frozenset({1}), skills=levels))
        slowness[number] = dice.lognormvariate(0, 0.35)
        quality[number, None] = dice.uniform(0.7, 0.98)
        for skill, level in levels.items():
            quality[number, skill] = min(0.99, max(0.2, prior(level) + dice.uniform(-0.15, 0.15)))
    sizes = [dice.lognormvariate(0, 1.0) for _ in range(tasks)]
    # Work that the team can do: slots x hours, less average slowness and repeats.
    able = sum(agent.capacity / slowness[agent.id] for agent in team) * hours * 0.75
    scale = load * able / sum(sizes)
    work = []
    for number, size in enumerate(sizes, start=1):
        at, estimate = dice.uniform(0, hours) * HOUR, max(1 / 60, size * scale)
        priority = dice.choices((1, 2, 3, 4), (2, 5, 2, 1))[0]
        needs: tuple[tuple[int, int], ...] = ()
        if dice.random() < 0.8:
            able_in = {skill for agent in team for skill in agent.skills}
            needs = ((dice.choice(sorted(able_in)), dice.choice((1, 1, 2))),)
        work.append(
            TaskFacts(
                id=number,
                ref=f"SIM-{number}",
                project=1,
                priority=priority,
                waiting_since=at,
                hours=estimate,
                patience_hours={1: 16.0, 2: 8.0, 3: 4.0, 4: 2.0}[priority],
                due_at=at + max(HOUR, estimate * dice.uniform(4, 12) * HOUR),
                needs=needs,
            )
        )
    return Load(tuple(sorted(work, key=lambda task: task.waiting_since)), tuple(team), slowness, quality)


def mean_of(outcomes: list[Outcome]) -> Outcome:
    """The mean of several runs of one policy with different luck."""
    count = len(outcomes)
    shares = {
        name: sum(getattr(outcome, name) for outcome in outcomes) / count
        for name in ("mean_hours", "p95_hours", "overdue_share", "utilisation", "gini")
    }
    tasks, finished = (
        round(sum(getattr(outcome, name) for outcome in outcomes) / count) for name in ("tasks", "finished")
    )
    has_due = any(outcome.has_due for outcome in outcomes)
    return Outcome(policy=outcomes[0].policy, tasks=tasks, finished=finished, has_due=has_due, **shares)
