"""Rows of reports by agent: who they are, in what order they stand, and where the rest goes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model

from reports.report import Column, Row
from tasks.models import Agent, Credit

AGENT_COLUMNS = (
    Column("agent", "Agent", "text", "dimension"),
    Column("name", "Name", "text", "dimension"),
    Column("kind", "Kind", "text", "dimension"),
)
VERSION_COLUMN = Column("version", "Version", "text", "dimension")
NOBODY, SEVERAL, DELETED = "Nobody", "Several", "Deleted agents"
#: The name of the total.
ALL: Final = "All"
#: Rows that are not of one agent, in their order after the others.
REST: Final = (SEVERAL, NOBODY, DELETED)
CREDITS: Final = {Credit.SEVERAL: SEVERAL, Credit.NOBODY: NOBODY}

#: The id of an agent, or one of ``REST``.
Who = int | str


def known_agents(ids: Iterable[Any]) -> dict[int, Agent]:
    """The agents with these ids that still exist."""
    return Agent.objects.in_bulk([pk for pk in ids if isinstance(pk, int)])


def whose(agent: int | None, agents: Mapping[int, Agent], credit: str = "") -> Who:
    """The row of a fact of ``agent``, which may be deleted, or of none; ``credit``: of a completion."""
    if agent is None:
        return CREDITS.get(Credit(credit), NOBODY) if credit else NOBODY
    return agent if agent in agents else DELETED


def name_of_row(who: Who, agents: Mapping[int, Agent]) -> Row:
    """The naming columns of a row."""
    if isinstance(who, str):
        return {"agent": None, "name": who, "kind": None}
    agent = agents[who]
    return {"agent": agent.slug, "name": agent.name, "kind": str(agent.kind)}


def all_agents() -> Row:
    """The naming columns of the total."""
    return {"agent": None, "name": ALL, "kind": None}


def named(rows: Sequence[Row]) -> list[Row]:
    """The naming columns of ``rows`` that have the slug of an agent; the last one is the total."""
    agents = {each.slug: each for each in Agent.objects.filter(slug__in={row["agent"] for row in rows} - {None})}
    each = [agents.get(row["agent"]) for row in rows[:-1]]
    return [{"name": DELETED, "kind": None} if a is None else {"name": a.name, "kind": str(a.kind)} for a in each] + [
        {"name": ALL, "kind": None}
    ]


def in_order(rows: Iterable[Row], *by: str) -> list[Row]:
    """Agents with the largest values of ``by`` first, then those of ``REST``."""

    def place(row: Row) -> tuple[Any, ...]:
        last = REST.index(row["name"]) if row["agent"] is None and row["name"] in REST else -1
        return (last, *(-(row[name] or 0) for name in by), row["agent"] or "", row.get("version") or "")

    return sorted(rows, key=place)


def people_named(users: Iterable[int | None]) -> dict[int, tuple[str, str]]:
    """Slug and name of these users by id: the agent's, else the username twice."""
    rows = get_user_model().objects.filter(pk__in=[pk for pk in users if pk is not None]).select_related("agent")
    named = {}
    for user in rows:
        agent = getattr(user, "agent", None)
        named[user.pk] = (agent.slug, agent.name) if agent is not None else (user.get_username(), user.get_username())
    return named


def added_up(rows: Sequence[Row], names: Iterable[str]) -> Row:
    return {name: sum(row[name] for row in rows) for name in names}
