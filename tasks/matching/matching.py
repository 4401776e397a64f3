"""From a snapshot to who gets what: score the eligible pairs, solve, and explain each task's outcome. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from tasks.matching.facts import AT_CAPACITY, AgentFacts, Snapshot, TaskFacts, excluded_by
from tasks.matching.policies import Part, Policy
from tasks.matching.solver import NOBODY, solve

if TYPE_CHECKING:
    import numpy as np

#: Scores are rounded to steps of this; smaller differences are ties.
QUANTUM: Final = 1e-6
HIGHEST: Final = 1e9

Row = dict[str, Any]


@dataclass
class Matching:
    """Which of the snapshot's tasks is offered to which agent, by index; and what it takes to explain it.

    ``tiers``: the tasks in the order in which they were matched: the starving ones first, then the others.
    """

    snapshot: Snapshot
    policy: Policy
    agent_of: dict[int, int] = field(default_factory=dict)
    tiers: list[list[int]] = field(default_factory=list)
    shift: int = 0
    #: What ``tasks.matching.records`` keeps from one task of a kind to the next.
    ranked: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def _given(self) -> list[Counter[int]]:
        """Slots given away, by agent, up to and including each tier."""
        sums, total = [], Counter[int]()
        for tier in self.tiers:
            total = total + Counter(self.agent_of[task] for task in tier if task in self.agent_of)
            sums.append(total)
        return sums

    @cached_property
    def _tier_of(self) -> dict[int, int]:
        return {task: number for number, tier in enumerate(self.tiers) for task in tier}

    @property
    def total(self) -> float:
        """The sum of the scores of all chosen pairs."""
        return sum(self.score(task, agent) for task, agent in self.agent_of.items())

    def score(self, task: int, agent: int) -> float:
        facts, other = self.snapshot.tasks[task], self.snapshot.agents[agent]
        raw = _raw(
            self.policy.weight(facts, self.snapshot.now).value,
            self.policy.fit(facts, other).value,
            facts.continuity.get(other.id, 0.0),
        )
        return (max(1, quantised(raw) >> self.shift) << self.shift) * QUANTUM if raw > 0 else 0.0

    def rows(self, task: int, *, agents: Iterable[int] | None = None) -> list[Row]:
        """Every agent with its figures or what excluded it, best first. ``choice`` repeats the choice from them."""
        given = self._given[self._tier_of[task]] if task in self._tier_of else Counter[int]()
        mine = self.agent_of.get(task)
        among = range(len(self.snapshot.agents)) if agents is None else agents
        rows = [self._row(task, agent, given[agent] - (agent == mine)) for agent in among]
        rows.sort(key=lambda row: (not row["eligible"], -(row["score"] or 0.0), row["tie"], row["agent"]))
        return rows

    def _row(self, task: int, number: int, given: int) -> Row:
        facts, agent = self.snapshot.tasks[task], self.snapshot.agents[number]
        codes = excluded_by(facts, agent)
        names = self.snapshot.skill_names
        row: Row = {
            "agent": agent.slug,
            "eligible": not codes,
            "excluded_by": codes,
            "score": None,
            "terms": {},
            "left": max(0, agent.free - given),
            "tie": list(self.policy.slot_key(agent, given)),
            "load": agent.load,
            "capacity": agent.capacity,
            "skills": [
                {"skill": names.get(skill, str(skill)), "has": agent.skills.get(skill, 0), "needs": level}
                for skill, level in facts.needs
            ],
        }
        if not codes or codes == [AT_CAPACITY]:
            weight, fit = self.policy.weight(facts, self.snapshot.now), self.policy.fit(facts, agent)
            row["score"] = round(self.score(task, number), 6)
            row["terms"] = {name: round(value, 4) for name, value in _terms(facts, agent, weight, fit).items()}
        return row


def _terms(task: TaskFacts, agent: AgentFacts, weight: Part, fit: Part) -> dict[str, float]:
    terms = {**weight.terms, **fit.terms}
    if "hours_expected" in terms and "slowness" in terms:
        terms["hours"] = terms["hours_expected"] * terms["slowness"]
    if added := task.continuity.get(agent.id):
        terms["continuity"] = added
    return terms


def _raw(weight: float, fit: float, continuity: float) -> float:
    return weight * fit * (1.0 + continuity)


def quantised(score: float) -> int:
    """A score in whole steps of ``QUANTUM``; any positive score is at least one step."""
    return max(1, round(min(score, HIGHEST) / QUANTUM)) if score > 0 else 0


def choice(rows: Iterable[Row]) -> str | None:
    """The agent chosen, from the recorded rows of one decision alone: the best score among those with a slot left.

    This is what the solver chose: as long as the other tasks keep their agents, no other choice could be better.
    """
    left = [row for row in rows if row["eligible"] and row["left"] > 0 and row["score"] > 0]
    best = min(left, key=lambda row: (-round(row["score"] / QUANTUM), row["tie"]), default=None)
    return best["agent"] if best else None


def margin(rows: Iterable[Row], chosen: str) -> float | None:
    """How much better ``chosen`` scored than the next best agent with a slot left; None if there was no other."""
    scores = {row["agent"]: row["score"] for row in rows if row["eligible"] and row["left"] > 0}
    others = [score for agent, score in scores.items() if agent != chosen]
    return round(scores[chosen] - max(others), 6) if others and chosen in scores else None


def match(snapshot: Snapshot, policy: Policy) -> Matching:
    """Match all tasks of the snapshot to all free slots of its agents at once; tasks may be left waiting.

    Starving tasks are matched first. Of a project no more are matched than it has headroom for: those that matter most.
    Its others are then at its limit. The same snapshot always gives the same answer.
    """
    starving: list[int] = []
    others: list[int] = []
    for number, task in enumerate(snapshot.tasks):
        (starving if task.is_starving(snapshot.now) else others).append(number)
    headroom = dict(snapshot.headroom)
    matching = Matching(snapshot, policy)
    pairs = _Pairs(snapshot, policy)
    free = {n: agent.free for n, agent in enumerate(snapshot.agents) if agent.free > 0}
    taken: Counter[int] = Counter()
    for tier in (starving, others):
        matching.tiers.append(tier)
        left = {n: slots - taken[n] for n, slots in free.items() if slots > taken[n]}
        if not tier or not left:
            continue
        chosen, shift = _solve_within(pairs, tier, left, taken, headroom)
        matching.shift = max(matching.shift, shift)
        matching.agent_of |= chosen
        taken.update(chosen.values())
        for number in chosen:
            if (project := snapshot.tasks[number].project) in headroom:
                headroom[project] -= 1
    matching.snapshot = _with_limits(matching, {project for project, more in headroom.items() if more <= 0})
    return matching


def _with_limits(matching: Matching, full: set[int]) -> Snapshot:
    """The snapshot in which what waits in these projects (by id) is at their limit."""
    if not full:
        return matching.snapshot
    return replace(
        matching.snapshot,
        tasks=tuple(
            replace(task, at_limit=True) if task.project in full and number not in matching.agent_of else task
            for number, task in enumerate(matching.snapshot.tasks)
        ),
    )


def _solve_within(
    pairs: "_Pairs", tier: Sequence[int], left: dict[int, int], taken: Counter[int], headroom: Mapping[int, int]
) -> tuple[dict[int, int], int]:
    """As ``_solve_tier``, with no more tasks of a project (by id) than its headroom: the heaviest of those chosen."""
    tasks = pairs.snapshot.tasks
    tier = [number for number in tier if headroom.get(tasks[number].project, 1) > 0]
    while True:
        chosen, shift = _solve_tier(pairs, tier, left, taken)
        by_project: dict[int, list[int]] = defaultdict(list)
        for number in chosen:
            if tasks[number].project in headroom:
                by_project[tasks[number].project].append(number)
        narrow = {project for project, numbers in by_project.items() if len(numbers) > headroom[project]}
        if not narrow:
            return chosen, shift
        kept: set[int] = set()
        for project in narrow:
            numbers = sorted(by_project[project], key=lambda number: (-pairs.weight(number), number))
            kept.update(numbers[: headroom[project]])
        # Solved again, so that the slots of the others go to other projects.
        tier = [number for number in tier if tasks[number].project not in narrow or number in kept]


class _Pairs:
    """The eligible pairs of a snapshot, by kind of task."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot, self.policy = snapshot, policy
        self.candidates = [
            (number, agent) for number, agent in enumerate(snapshot.agents) if agent.free > 0 and not agent.barred
        ]
        self._fits: dict[Any, tuple[list[int], list[float]]] = {}
        self._with_skill: dict[int, list[tuple[int, AgentFacts]]] = defaultdict(list)
        for candidate in self.candidates:
            for skill in candidate[1].skills:
                self._with_skill[skill].append(candidate)

    def weight(self, number: int) -> float:
        """How much it matters to serve this task (by index) now."""
        return self.policy.weight(self.snapshot.tasks[number], self.snapshot.now).value

    def fits(self, task: TaskFacts) -> tuple[list[int], list[float]]:
        """The agents (by index) that may do tasks of this kind, and the fit of each."""
        kind = task.kind
        if kind not in self._fits:
            agents, fits = [], []
            rarest = min((self._with_skill[skill] for skill, _ in task.needs), key=len, default=self.candidates)
            for number, agent in rarest:
                skills = agent.skills
                if (
                    task.project in agent.projects
                    and all(skills.get(skill, 0) >= level for skill, level in task.needs)
                    and not (task.needs_review and task.project in agent.sole_reviewer_of)
                ):
                    agents.append(number)
                    fits.append(self.policy.fit(task, agent).value)
            self._fits[kind] = agents, fits
        return self._fits[kind]


def _solve_tier(
    pairs: _Pairs, tier: Sequence[int], left: dict[int, int], taken: Counter[int]
) -> tuple[dict[int, int], int]:
    """Agents (by index) for tasks (by index), and how many bits of the scores were cut."""
    import numpy as np

    tasks = pairs.snapshot.tasks
    plain: dict[Any, list[int]] = defaultdict(list)
    chosen: list[int] = []
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    weights = {number: pairs.weight(number) for number in tier}

    def add(numbers: list[int], agents: list[int], fits: "np.ndarray") -> None:
        scores = np.outer([weights[number] for number in numbers], fits)
        parts.append((np.repeat(numbers, len(agents)), np.tile(agents, len(numbers)), scores.ravel()))
        chosen.extend(numbers)

    for number in tier:
        task = tasks[number]
        if not task.barred and not task.continuity:
            plain[task.kind].append(number)
            continue
        agents, fits = pairs.fits(task)
        mine = [
            (agent, fit * (1.0 + task.continuity.get(pairs.snapshot.agents[agent].id, 0.0)))
            for agent, fit in zip(agents, fits, strict=True)
            if agent in left and pairs.snapshot.agents[agent].id not in task.barred
        ]
        if mine:
            add([number], [agent for agent, _ in mine], np.array([fit for _, fit in mine]))
    for numbers in plain.values():
        agents, fits = pairs.fits(tasks[numbers[0]])
        still = [(agent, fit) for agent, fit in zip(agents, fits, strict=True) if agent in left]
        room = sum(left[agent] for agent, _ in still)
        if room:
            # Of tasks that differ only in weight, no more than there are slots can be served: the heaviest.
            numbers = sorted(numbers, key=lambda number: (-weights[number], number))[:room]
            add(sorted(numbers), [agent for agent, _ in still], np.array([fit for _, fit in still]))
    if not parts:
        return {}, 0
    column = [np.concatenate([part[place] for part in parts]) for place in range(3)]
    scores = np.rint(np.minimum(column[2], HIGHEST) / QUANTUM).astype(np.int64)
    worth = column[2] > 0
    order = sorted(chosen)
    place = np.zeros(len(tasks), dtype=np.int64)
    place[order] = np.arange(len(order))
    slots = _slots(pairs, left, taken, len(order))
    solved = solve(
        len(order),
        slots,
        place[column[0][worth]],
        column[1][worth].astype(np.int64),
        np.maximum(scores[worth], 1),
    )
    agent_of = {order[n]: agent for n, agent in enumerate(solved.agents) if agent != NOBODY}
    return agent_of, solved.shift


def _slots(pairs: _Pairs, left: dict[int, int], taken: Counter[int], most: int) -> list[int]:
    """The agent (by index) of each free slot, in the order in which the policy fills them."""
    agents = pairs.snapshot.agents
    keyed = [
        (pairs.policy.slot_key(agents[number], taken[number] + step), number)
        for number, _ in pairs.candidates
        if number in left
        for step in range(min(left[number], most))
    ]
    keyed.sort()
    return [number for _, number in keyed]
