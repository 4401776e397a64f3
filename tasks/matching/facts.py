"""What automatic assignment knows: plain values read once, so that a decision depends on nothing else.

Imports nothing from this project; times are seconds since the epoch, hours are floats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: What a task requires: (skill id, minimum level), ordered.
Needs = tuple[tuple[int, int], ...]

#: Why an agent is not offered a task: stable codes. ``tasks.matching.words`` has the sentences.
DISABLED: Final = "disabled"
PAUSED: Final = "paused"
PAUSED_HERE: Final = "paused_in_project"
SILENT: Final = "silent"
OFF_HOURS: Final = "off_hours"
NOT_MEMBER: Final = "not_member"
MISSING_SKILL: Final = "missing_skill"
AT_CAPACITY: Final = "at_capacity"
AT_LIMIT: Final = "at_limit"
FAILED: Final = "failed_before"
DECLINED: Final = "declined_before"
LAPSED: Final = "let_it_lapse"
GAVE_BACK: Final = "gave_it_back"
TAKEN_OFF: Final = "taken_off"
SOLE_REVIEWER: Final = "sole_reviewer"

#: Strength of the prior belief, in outcomes.
PRIOR_STRENGTH = 4.0
#: The level that an agent is assumed to have for work that requires no skill.
GENERAL_LEVEL = 3


def prior(level: int) -> float:
    """The probability that work is accepted, for an agent known only by its declared level (1 to 5)."""
    return 0.3 + 0.12 * level


@dataclass(frozen=True, slots=True)
class Evidence:
    """An agent's past outcomes, each weighted by its age: for one skill, or in general.

    ``pace`` adds up hours taken ÷ hours expected over ``paced`` (weighted) finished runs.
    """

    accepted: float = 0.0
    rejected: float = 0.0
    pace: float = 0.0
    paced: float = 0.0

    def probability(self, level: int) -> float:
        """Mean of the Beta distribution that starts from ``prior(level)`` and has seen these outcomes."""
        seen = self.accepted + self.rejected
        return (PRIOR_STRENGTH * prior(level) + self.accepted) / (PRIOR_STRENGTH + seen)

    @property
    def slowness(self) -> float:
        """Hours taken per hour expected, shrunk towards 1 while there is little evidence."""
        return (PRIOR_STRENGTH + self.pace) / (PRIOR_STRENGTH + self.paced)


NOTHING: Final = Evidence()


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent as it is now. ``barred``: the code of what keeps it from any work, or empty.

    ``projects``: where it may work; ``paused_in``: where it might, had no manager paused it. ``idle_since``: when it
    last began something; 0 for never.
    """

    id: int
    slug: str
    capacity: int
    active_runs: int = 0
    open_assignments: int = 0
    barred: str = ""
    is_human: bool = False
    projects: frozenset[int] = frozenset()
    paused_in: frozenset[int] = frozenset()
    sole_reviewer_of: frozenset[int] = frozenset()
    skills: Mapping[int, int] = field(default_factory=dict)
    evidence: Mapping[int | None, Evidence] = field(default_factory=dict)
    idle_since: float = 0.0
    last_offered: float = 0.0

    def belongs_to(self, project: int) -> bool:
        """Whether it works in the project, paused there or not."""
        return project in self.projects or project in self.paused_in

    @property
    def load(self) -> int:
        return self.active_runs + self.open_assignments

    @property
    def free(self) -> int:
        return max(0, self.capacity - self.load)

    def lacks(self, needs: Needs) -> list[tuple[int, int]]:
        """The required skills that it does not have, or not at the required level."""
        return [(skill, level) for skill, level in needs if self.skills.get(skill, 0) < level]

    def probability(self, needs: Needs) -> float:
        """The probability that its work is accepted: that of the required skill it is weakest in."""
        if not needs:
            return self.evidence.get(None, NOTHING).probability(GENERAL_LEVEL)
        return min(self.evidence.get(skill, NOTHING).probability(self.skills.get(skill, 1)) for skill, _ in needs)

    def slowness(self, needs: Needs) -> float:
        """Hours it takes per hour expected, in the required skill it is slowest in."""
        if not needs:
            return self.evidence.get(None, NOTHING).slowness
        return max(self.evidence.get(skill, NOTHING).slowness for skill, _ in needs)


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task that waits for an agent. ``hours``: its estimate, or what tasks of its project take on average.

    ``waiting_since``: when it became ready; ``patience_hours``: how long it may wait, by its priority.
    ``barred``: agents (by id) kept from it, with the code. ``continuity``: agents (by id) that know it already, with
    the share added to their score. ``at_limit``: agents start no tasks in its project now; set by the matching.
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
    at_limit: bool = False
    barred: Mapping[int, str] = field(default_factory=dict)
    continuity: Mapping[int, float] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[int, Needs, bool, bool]:
        """Tasks of one kind may be done by the same agents, and equally well."""
        return (self.project, self.needs, self.needs_review, self.at_limit)

    def is_starving(self, now: float) -> bool:
        """Whether it waited over five times as long as it may: it then takes the next feasible slot."""
        return now - self.waiting_since > 5 * self.patience_hours * 3600


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a matching is computed from.

    ``headroom``: how many more tasks agents may start in each project (by id) that has a limit of that.
    """

    now: float
    tasks: tuple[TaskFacts, ...]
    agents: tuple[AgentFacts, ...]
    skill_names: Mapping[int, str] = field(default_factory=dict)
    headroom: Mapping[int, int] = field(default_factory=dict)


def excluded_by(task: TaskFacts, agent: AgentFacts, *, ignore_capacity: bool = False) -> list[str]:
    """The codes of the hard constraints that keep ``agent`` from ``task``; empty if it is eligible."""
    codes = [agent.barred] if agent.barred else []
    if task.project not in agent.projects:
        codes.append(PAUSED_HERE if task.project in agent.paused_in else NOT_MEMBER)
    if agent.lacks(task.needs):
        codes.append(MISSING_SKILL)
    if agent.id in task.barred:
        codes.append(task.barred[agent.id])
    if task.needs_review and task.project in agent.sole_reviewer_of:
        codes.append(SOLE_REVIEWER)
    if not ignore_capacity and agent.free <= 0:
        codes.append(AT_CAPACITY)
    if not ignore_capacity and task.at_limit:
        codes.append(AT_LIMIT)
    return codes
