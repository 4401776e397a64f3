"""The record of a decision: small enough to keep for every task, complete enough to repeat and explain the choice."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from tasks.assignment.facts import AT_CAPACITY, excluded_by
from tasks.assignment.matching import Matching, Row, margin

#: Agents that a record tells in full: the best, and those that were nearest to being eligible.
IN_FULL: Final = 25
#: In a bigger team the others are counted, not named.
NAMED: Final = 300
ELIGIBLE: Final = "eligible"


@dataclass(frozen=True)
class Record:
    """What is kept of a decision. ``others``: slugs (or, in a big team, how many) by the codes that excluded them."""

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
    ranked = []
    for number, agent in enumerate(snapshot.agents):
        if facts.project not in agent.projects:
            continue
        codes = excluded_by(facts, agent)
        near = not codes or codes == [AT_CAPACITY]
        ranked.append((len(codes), -matching.score(task, number) if near else 0.0, number, codes))
    ranked.sort()
    chosen = matching.agent_of.get(task)
    full = [number for _, _, number, _ in ranked[:IN_FULL]]
    if chosen is not None and chosen not in full:
        full.append(chosen)
    rows = matching.rows(task, agents=full)
    rest: dict[str, list[str]] = defaultdict(list)
    for _, _, number, codes in ranked[IN_FULL:]:
        if number != chosen:
            rest["+".join(codes) or ELIGIBLE].append(snapshot.agents[number].slug)
    others: dict[str, Any] = dict(rest) if len(ranked) <= NAMED else {code: len(them) for code, them in rest.items()}
    weight = matching.policy.weight(facts, snapshot.now)
    terms = {name: round(value, 4) for name, value in weight.terms.items()}
    if chosen is None:
        return Record(None, None, None, None, terms, rows, others)
    slug = snapshot.agents[chosen].slug
    score = next(row["score"] for row in rows if row["agent"] == slug)
    return Record(snapshot.agents[chosen].id, slug, score, margin(rows, slug), terms, rows, others)


def verdict_of(rows: list[Row], others: dict[str, Any]) -> frozenset[Any]:
    """What became of each agent, without the figures that move from second to second: two equal ones tell the same."""
    told: set[Any] = {(row["agent"], *row["excluded_by"]) for row in rows}
    for code, them in others.items():
        told |= {(code, them)} if isinstance(them, int) else {(slug, *code.split("+")) for slug in them}
    return frozenset(told)
