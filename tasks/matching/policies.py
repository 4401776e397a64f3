"""Policies: what it is worth to give this task to that agent. Small classes; add yours with ``@register``.

A score is ``weight(task) × fit(task, agent) × (1 + continuity)``. The fit is the same for all tasks of one kind (same
project, same skills), so that ten thousand tasks cost a few hundred fits. Where scores are equal, ``slot_key`` says
which slot comes first. Imports nothing from this project but the facts.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeVar

from tasks.matching.facts import AgentFacts, TaskFacts

DEFAULT: Final = "value"

PRIORITY_WEIGHT: Final = {1: 1.0, 2: 2.0, 3: 4.0, 4: 8.0}
MOST_GROWTH = 8.0
#: Growth of a task whose due date can no longer be met: tasks that can still be on time go first, then age decides.
LATE_GROWTH = 1.0
#: No agent is expected to finish in less.
LEAST_HOURS = 1 / 60


@dataclass(frozen=True, slots=True)
class Part:
    """One factor of a score, and the figures that explain it."""

    value: float
    terms: dict[str, float] = field(default_factory=dict)


class Policy:
    """What all policies share; a policy defines at least the weight of a task and the fit of an agent."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    label: ClassVar[str]
    #: One plain sentence for people who choose: who gets the work.
    idea: ClassVar[str] = ""

    def weight(self, task: TaskFacts, now: float) -> Part:
        """How much it matters to serve ``task`` now; > 0, and never less for a higher priority."""
        raise NotImplementedError

    def fit(self, task: TaskFacts, agent: AgentFacts) -> Part:
        """How well ``agent`` would do tasks of this kind; ≥ 0. Reads only what makes up the kind of ``task``."""
        raise NotImplementedError

    def slot_key(self, agent: AgentFacts, taken: int) -> tuple[float, ...]:
        """Orders free slots for ties: lower load, longest idle, lower id. ``taken``: the agent's slots before this."""
        return ((agent.load + taken) / agent.capacity, agent.idle_since, agent.id)


P = TypeVar("P", bound=type[Policy])
_KNOWN: dict[str, Policy] = {}


def register(policy: P) -> P:
    """Class decorator: lets projects choose the policy by its ``name``."""
    _KNOWN[policy.name] = policy()
    return policy


def names() -> list[str]:
    """The names of all policies, the default first."""
    return sorted(_KNOWN, key=lambda name: (name != DEFAULT, name))


def named(name: str) -> Policy | None:
    """The policy with this name, or None."""
    return _KNOWN.get(name)


def growth(task: TaskFacts, now: float) -> float:
    """How a task's urgency grows, from 1 to 8: with its age, and as the latest time to start approaches."""
    patience = task.patience_hours * 3600
    by_age = 1.0 + max(0.0, now - task.waiting_since) / patience
    by_due = LATE_GROWTH
    if task.due_at is not None:
        slack = task.due_at - now - task.hours * 3600
        if slack >= 0:
            by_due = MOST_GROWTH - (MOST_GROWTH - 1.0) * min(1.0, slack / patience)
    return min(MOST_GROWTH, max(by_age, by_due))


@register
class Value(Policy):
    """Value per slot-hour: urgency × probability of acceptance ÷ expected hours."""

    name = "value"
    label = "Value per hour"
    idea = "Urgent work first, to whoever will probably do it well and soon."

    def weight(self, task: TaskFacts, now: float) -> Part:
        grown = growth(task, now)
        urgency = PRIORITY_WEIGHT[task.priority] * grown * task.share
        hours = max(LEAST_HOURS, task.hours)
        return Part(urgency / hours, {"urgency": urgency, "growth": grown, "hours_expected": hours})

    def fit(self, task: TaskFacts, agent: AgentFacts) -> Part:
        probability, slowness = agent.probability(task.needs), agent.slowness(task.needs)
        return Part(probability / slowness, {"probability": probability, "slowness": slowness})


class _InTurn(Policy):
    """Tasks in order of priority, then age; the subclass decides who gets them."""

    def weight(self, task: TaskFacts, now: float) -> Part:
        waited = max(0.0, now - task.waiting_since) / 3600
        # Within a priority, the longest waiting first: 1 - 1/(1 + h) always grows and never reaches the next priority.
        return Part(task.priority + 1.0 - 1.0 / (1.0 + waited), {"hours_waited": waited})

    def fit(self, task: TaskFacts, agent: AgentFacts) -> Part:
        return Part(1.0)


@register
class LeastLoaded(_InTurn):
    """To the agent with the most free capacity, in turn: what most routers do."""

    name = "least_loaded"
    label = "Least loaded"
    idea = "In turn, to whoever has the most free capacity."


@register
class RoundRobin(_InTurn):
    """To the agent whose last offer is longest ago."""

    name = "round_robin"
    label = "Round robin"
    idea = "In turn, to whoever has waited longest for work."

    def slot_key(self, agent: AgentFacts, taken: int) -> tuple[float, ...]:
        return (float(taken), agent.last_offered, agent.id)


@register
class BestSkill(_InTurn):
    """To the agent with the highest levels in the required skills, whatever its load."""

    name = "best_skill"
    label = "Best skill"
    idea = "In turn, to whoever has the highest level in the skills, however busy."

    def fit(self, task: TaskFacts, agent: AgentFacts) -> Part:
        levels = [agent.skills.get(skill, 0) for skill, _ in task.needs]
        mean = sum(levels) / len(levels) if levels else 3.0
        return Part(mean / 5, {"mean_level": mean})
