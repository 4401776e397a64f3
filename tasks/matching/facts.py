"""What automatic assignment knows: plain values read once, so that what is decided depends on nothing else.

Imports nothing of ours; times are seconds since the epoch, hours are floats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: (skill id, least level), ordered: what a task requires.
Needs = tuple[tuple[int, int], ...]

#: Why an agent is not offered a task: stable codes. ``tasks.matching.words`` has the sentences.
DISABLED: Final = "disabled"
PAUSED: Final = "paused"
SILENT: Final = "silent"
OFF_HOURS: Final = "off_hours"
NOT_MEMBER: Final = "not_member"
MISSING_SKILL: Final = "missing_skill"
AT_CAPACITY: Final = "at_capacity"
FAILED: Final = "failed_before"
DECLINED: Final = "declined_before"
LAPSED: Final = "let_it_lapse"
GAVE_BACK: Final = "gave_it_back"
TAKEN_OFF: Final = "taken_off"
SOLE_REVIEWER: Final = "sole_reviewer"

#: Strength of the prior belief, in outcomes.
PRIOR_STRENGTH = 4.0
#: The level that is believed of an agent for work that requires no skill.
GENERAL_LEVEL = 3


def prior(level: int) -> float:
    """How probable it is that work is accepted, of somebody known only by the declared level (1 to 5)."""
    return 0.3 + 0.12 * level


@dataclass(frozen=True, slots=True)
class Evidence:
    """Past outcomes of an agent, each weighted by its age: for one skill, or in general.

    ``pace`` adds up hours taken ÷ hours expected over ``paced`` (weighted) finished runs.
    """

    accepted: float = 0.0
    rejected: float = 0.0
    pace: float = 0.0
    paced: float = 0.0

    def probability(self, level: int) -> float:
        """Mean of the Beta distribution that began as ``prior(level)`` and saw these outcomes."""
        seen = self.accepted + self.rejected
        return (PRIOR_STRENGTH * prior(level) + self.accepted) / (PRIOR_STRENGTH + seen)

    @property
    def slowness(self) -> float:
        """Hours taken for each hour expected, shrunk towards 1 while little is known."""
        return (PRIOR_STRENGTH + self.pace) / (PRIOR_STRENGTH + self.paced)


NOTHING: Final = Evidence()


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent as it is now. ``barred`` is what keeps it from any work: a code, or empty.

    ``projects``: where it may work. ``idle_since``: when it last began something; 0 for never.
    """

    id: int
    slug: str
    capacity: int
    active_runs: int = 0
    open_assignments: int = 0
    barred: str = ""
    is_human: bool = False
    projects: frozenset[int] = frozenset()
    sole_reviewer_of: frozenset[int] = frozenset()
    skills: Mapping[int, int] = field(default_factory=dict)
    evidence: Mapping[int | None, Evidence] = field(default_factory=dict)
    idle_since: float = 0.0
    last_offered: float = 0.0

    @property
    def load(self) -> int:
        return self.active_runs + self.open_assignments

    @property
    def free(self) -> int:
        return max(0, self.capacity - self.load)

    def lacks(self, needs: Needs) -> list[tuple[int, int]]:
        """The required skills that it has not, or not well enough."""
        return [(skill, level) for skill, level in needs if self.skills.get(skill, 0) < level]

    def probability(self, needs: Needs) -> float:
        """How probable it is that its work is accepted: that of the required skill it is weakest in."""
        if not needs:
            return self.evidence.get(None, NOTHING).probability(GENERAL_LEVEL)
        return min(self.evidence.get(skill, NOTHING).probability(self.skills.get(skill, 1)) for skill, _ in needs)

    def slowness(self, needs: Needs) -> float:
        """Hours it takes for each hour expected: of the required skill it is slowest in."""
        if not needs:
            return self.evidence.get(None, NOTHING).slowness
        return max(self.evidence.get(skill, NOTHING).slowness for skill, _ in needs)


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task that waits for somebody. ``hours``: its estimate, or what tasks of its project take.

    ``waiting_since``: since when it could have begun; ``patience_hours``: how long that may last, by its priority.
    ``barred``: agents (by id) kept from it, with the code. ``continuity``: who knows it already, as a share added to
    the score.
    """

    id: int
    ref: str
    project: int
    priority: int
    waiting_since: float
    hours: float
    patience_hours: float
    due_at: float | None = None
    needs: Needs = ()
    needs_review: bool = False
    share: float = 1.0
    version: int = 0
    barred: Mapping[int, str] = field(default_factory=dict)
    continuity: Mapping[int, float] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[int, Needs, bool]:
        """Tasks of one kind may be done by the same agents, and equally well."""
        return (self.project, self.needs, self.needs_review)

    def is_starving(self, now: float) -> bool:
        """Past five times its allowed age: it takes the next slot that can do it."""
        return now - self.waiting_since > 5 * self.patience_hours * 3600


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a matching is made from."""

    now: float
    tasks: tuple[TaskFacts, ...]
    agents: tuple[AgentFacts, ...]
    skill_names: Mapping[int, str] = field(default_factory=dict)


def excluded_by(task: TaskFacts, agent: AgentFacts, *, ignore_capacity: bool = False) -> list[str]:
    """The hard constraints that keep ``agent`` from ``task``, as codes; none where it is eligible."""
    codes = [agent.barred] if agent.barred else []
    if task.project not in agent.projects:
        codes.append(NOT_MEMBER)
    if agent.lacks(task.needs):
        codes.append(MISSING_SKILL)
    if agent.id in task.barred:
        codes.append(task.barred[agent.id])
    if task.needs_review and task.project in agent.sole_reviewer_of:
        codes.append(SOLE_REVIEWER)
    if not ignore_capacity and agent.free <= 0:
        codes.append(AT_CAPACITY)
    return codes
