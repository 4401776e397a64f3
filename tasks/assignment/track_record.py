"""What an agent has shown, as rows to read: per skill the declared level, and what its runs and reviews say."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from tasks.assignment.experience import Experience
from tasks.matching.facts import GENERAL_LEVEL, NOTHING, Evidence, prior
from tasks.models import Agent, Skill


@dataclass(frozen=True)
class Shown:
    """One skill of an agent. ``seen``: outcomes that count, each weighted by its age; ``level`` 0: not declared."""

    skill: str
    level: int
    probability: float
    believed: float
    seen: float
    slowness: float

    @property
    def percent(self) -> int:
        return round(self.probability * 100)

    @property
    def believed_percent(self) -> int:
        return round(self.believed * 100)


def track_record(agent: Agent, now: datetime, projects: Collection[int] | None) -> list[Shown]:
    """The agent's skills, and others in which it has a record; the first row covers all its work.

    Only runs in ``projects`` (ids; None: everywhere) count: those that the reader manages.
    """
    learned = Experience(projects).of([agent.pk], now)[agent.pk]
    levels = {has.skill_id: has.level for has in agent.skills.all()}
    ids = {*levels, *(skill for skill in learned if skill is not None)}
    names = dict(Skill.objects.filter(pk__in=ids).values_list("pk", "name"))
    general = learned.get(None, NOTHING)
    rows = [_row("All work", GENERAL_LEVEL, general.probability(GENERAL_LEVEL), general)]
    for skill in sorted(ids, key=lambda skill: names[skill]):
        evidence, level = learned.get(skill, NOTHING), levels.get(skill, 0)
        rows.append(_row(names[skill], level, evidence.probability(level or 1), evidence))
    return rows


def _row(name: str, level: int, probability: float, evidence: Evidence) -> Shown:
    seen = evidence.accepted + evidence.rejected
    return Shown(name, level, probability, prior(level or 1), round(seen, 1), evidence.slowness)
