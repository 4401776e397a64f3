"""Who could be given a selection of tasks, and how well each fits: what the *Assign to…* page shows."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks import clock
from tasks.admin.columns import STATE_MARKS
from tasks.assignment.presence import State, state_of
from tasks.batches import batches
from tasks.matching.facts import NOT_MEMBER, AgentFacts, TaskFacts, excluded_by
from tasks.models import Agent, Membership, RequiredSkill, Skill, Task

#: What decides who may do a task: its project, and its required skills as (skill id, minimum level).
Kind = tuple[int, frozenset[tuple[int, int]]]
NAMED_SKILLS = 5


@dataclass(frozen=True)
class SkillMatch:
    """A skill that some of the tasks require, and the agent's level (0: does not have it)."""

    name: str
    wanted: int
    level: int

    @property
    def enough(self) -> bool:
        return self.level >= self.wanted


@dataclass(frozen=True)
class Candidate:
    agent: Agent
    facts: AgentFacts
    state: State
    matches: list[SkillMatch]
    #: How many of the selected tasks are in the agent's projects, and for how many of these it has the skills.
    reachable: int
    fitting: int
    total: int

    @property
    def hidden_lacks(self) -> int:
        """How many missing skills are only counted: if many are required, those that the agent has matter more."""
        lacking = sum(not match.enough for match in self.matches)
        return lacking if len(self.matches) > NAMED_SKILLS else 0

    @property
    def shown_matches(self) -> list[SkillMatch]:
        return [match for match in self.matches if match.enough] if self.hidden_lacks else self.matches

    @property
    def load(self) -> int:
        return self.facts.load

    @property
    def free(self) -> int:
        return self.facts.free

    @property
    def room(self) -> int:
        """How many of the tasks that fit it could work on at once, beside what it has."""
        return max(0, min(self.fitting, self.free))

    @property
    def is_available(self) -> bool:
        return self.state is State.AVAILABLE

    @property
    def mark(self) -> str:
        """Automatic assignment would not consider the others now; a manager may know better."""
        return STATE_MARKS.get(self.state, "warn")

    @property
    def last_seen_at(self) -> datetime | None:
        return self.agent.last_seen_at


def tasks_by_need(ids: Sequence[int]) -> Counter[Kind]:
    """How many tasks there are of each kind: (project id, {(skill id, minimum level)})."""
    needs: dict[int, set[tuple[int, int]]] = defaultdict(set)
    projects: dict[int, int] = {}
    for batch in batches(ids):
        projects.update(Task.objects.filter(pk__in=batch).order_by().values_list("pk", "project_id"))
        rows = RequiredSkill.objects.filter(task__in=batch).order_by()
        for task_id, skill_id, level in rows.values_list("task_id", "skill_id", "min_level"):
            needs[task_id].add((skill_id, level))
    return Counter((project, frozenset(needs.get(pk, ()))) for pk, project in projects.items())


def candidates_for(ids: Sequence[int]) -> list[Candidate]:
    """Every agent that may work in a project of these tasks; best fit and most free capacity first.

    Costs a fixed number of queries, whatever the number of agents and tasks.
    """
    kinds = tasks_by_need(ids)
    wanted: dict[int, int] = {}
    for _, need in kinds:
        for skill_id, level in need:
            wanted[skill_id] = max(wanted.get(skill_id, 0), level)
    names = dict(Skill.objects.filter(pk__in=wanted).values_list("pk", "name"))
    works_in: dict[int, set[int]] = defaultdict(set)
    paused = set()
    members = Membership.objects.filter(project__in={project for project, _ in kinds}).working()
    for user_id, project_id, paused_at in members.values_list("user_id", "project_id", "paused_at"):
        works_in[user_id].add(project_id)
        if paused_at is not None:
            paused.add(user_id)
    agents = Agent.objects.filter(user__in=works_in).with_load().prefetch_related("skills")
    now = clock.now()
    candidates = [
        _candidate(agent, kinds, wanted, names, works_in[agent.user_id], _state(agent, now, paused))
        for agent in agents.order_by("slug")
    ]
    candidates.sort(key=_fit)
    return candidates


def _state(agent: Agent, now: datetime, paused: set[int]) -> State:
    """As everywhere, and paused if a manager paused it in one of these projects; staff may assign it nevertheless."""
    state = state_of(agent, now)
    return State.PAUSED if agent.user_id in paused and state is not State.DISABLED else state


def _candidate(
    agent: Agent, kinds: Counter[Kind], wanted: dict[int, int], names: dict[int, str], projects: set[int], state: State
) -> Candidate:
    facts = AgentFacts(
        id=agent.pk,
        slug=agent.slug,
        capacity=agent.max_concurrent,
        active_runs=agent.active_runs,  # type: ignore[attr-defined]
        open_assignments=agent.open_assignments,  # type: ignore[attr-defined]
        projects=frozenset(projects),
        skills={skill.skill_id: skill.level for skill in agent.skills.all()},
    )
    excluded = {kind: excluded_by(_facts_of(kind), facts, ignore_capacity=True) for kind in kinds}
    matches = [SkillMatch(names[skill], level, facts.skills.get(skill, 0)) for skill, level in wanted.items()]
    return Candidate(
        agent,
        facts,
        state,
        sorted(matches, key=lambda match: match.name),
        sum(count for kind, count in kinds.items() if NOT_MEMBER not in excluded[kind]),
        sum(count for kind, count in kinds.items() if not excluded[kind]),
        kinds.total(),
    )


def _facts_of(kind: Kind) -> TaskFacts:
    """The facts about a task of this kind that decide who may do it."""
    project, needs = kind
    return TaskFacts(0, "", project, 0, 0.0, 0.0, 0.0, needs=tuple(sorted(needs)))


def _fit(candidate: Candidate) -> tuple[bool, int, bool, int, str]:
    agent = candidate.agent
    return (not agent.enabled, -candidate.fitting, not candidate.is_available, -candidate.free, agent.slug)
