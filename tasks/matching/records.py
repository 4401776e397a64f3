"""The record of a decision: small enough to keep for every task, complete enough to repeat and explain the choice."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from tasks.matching.facts import AT_CAPACITY, Snapshot, excluded_by
from tasks.matching.matching import Matching, Row, margin

#: Agents that a record describes in full: the best, and those closest to being eligible.
IN_FULL: Final = 25
#: In a larger team the others are counted, not named.
NAMED: Final = 300
ELIGIBLE: Final = "eligible"


@dataclass(frozen=True)
class Record:
    """What is kept of a decision. ``others``: slugs (or, in a large team, a count) by the codes that excluded them."""

    agent: int | None
    slug: str | None
    score: float | None
    margin: float | None
    terms: dict[str, float]
    rows: list[Row]
    others: dict[str, Any] = field(default_factory=dict)


def record_of(matching: Matching, task: int) -> Record:
    """The record for a task (by index) of ``matching``."""
    snapshot = matching.snapshot
    facts = snapshot.tasks[task]
    ranked = _ranked(matching, task)
    chosen = matching.agent_of.get(task)
    full = ranked.first if chosen is None or chosen in ranked.first else [*ranked.first, chosen]
    rows = matching.rows(task, agents=full)
    others = _others(snapshot, ranked, without=None if chosen in ranked.first else chosen)
    weight = matching.policy.weight(facts, snapshot.now)
    terms = {name: round(value, 4) for name, value in weight.terms.items()}
    if chosen is None:
        return Record(None, None, None, None, terms, rows, others)
    slug = snapshot.agents[chosen].slug
    score = next(row["score"] for row in rows if row["agent"] == slug)
    return Record(snapshot.agents[chosen].id, slug, score, margin(rows, slug), terms, rows, others)


@dataclass(frozen=True)
class _Ranked:
    """The agents of a task's project (by index): the first are described in full, the rest by what excludes them."""

    first: list[int]
    rest: dict[str, list[int]]
    count: int


def _ranked(matching: Matching, task: int) -> _Ranked:
    """The ranking; the same for all tasks of one kind, except those with a history, so computed once per kind."""
    facts = matching.snapshot.tasks[task]
    if facts.barred or facts.continuity:
        return _rank(matching, task)
    if facts.kind not in matching.ranked:
        matching.ranked[facts.kind] = _rank(matching, task)
    ranked: _Ranked = matching.ranked[facts.kind]
    return ranked


def _rank(matching: Matching, task: int) -> _Ranked:
    snapshot = matching.snapshot
    facts = snapshot.tasks[task]
    order = []
    for number, agent in enumerate(snapshot.agents):
        if agent.belongs_to(facts.project):
            codes = excluded_by(facts, agent)
            near = not codes or codes == [AT_CAPACITY]
            order.append((len(codes), -matching.score(task, number) if near else 0.0, number, codes))
    order.sort()
    rest: dict[str, list[int]] = defaultdict(list)
    for _, _, number, codes in order[IN_FULL:]:
        rest["+".join(codes) or ELIGIBLE].append(number)
    return _Ranked([number for _, _, number, _ in order[:IN_FULL]], dict(rest), len(order))


def _others(snapshot: Snapshot, ranked: _Ranked, *, without: int | None) -> dict[str, Any]:
    others: dict[str, Any] = {}
    for code, numbers in ranked.rest.items():
        if ranked.count > NAMED:
            left = len(numbers) - (without in numbers)
            others |= {code: left} if left else {}
        elif slugs := [snapshot.agents[number].slug for number in numbers if number != without]:
            others[code] = slugs
    return others


def verdict_of(rows: list[Row], others: dict[str, Any]) -> frozenset[Any]:
    """What became of each agent, without the figures that change every second: equal verdicts say the same."""
    verdict: set[Any] = {(row["agent"], *row["excluded_by"]) for row in rows}
    for code, excluded in others.items():
        verdict |= {(code, excluded)} if isinstance(excluded, int) else {(slug, *code.split("+")) for slug in excluded}
    return frozenset(verdict)
