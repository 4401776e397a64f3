"""Who of a project is there now: with an open stream, or seen in the last ``HERE``. Read from the database, so that it
is the same in every process; a process that notices somebody writes it behind, like ``tasks.presence``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from messaging.models import Seen
from tasks import clock
from tasks.events.recording import name_of
from tasks.models import Agent, Membership, Project
from tasks.presence import Presence
from tasks.querysets import MembershipQuerySet

HERE = timedelta(minutes=2)
#: Names in one answer.
MOST = 1_000


def _write(noted: Mapping[int, datetime]) -> None:
    with transaction.atomic():
        # In one order, so that two processes cannot deadlock; an account may have been deleted meanwhile.
        known = User.objects.filter(pk__in=noted).order_by("pk").values_list("pk", flat=True)
        rows = [Seen(user_id=pk, at=noted[pk]) for pk in known]
        Seen.objects.bulk_create(rows, update_conflicts=True, unique_fields=["user"], update_fields=["at"])


#: People with an open stream, by the ids of their accounts.
people = Presence(write=_write, name="people")


def _present(members: MembershipQuerySet) -> MembershipQuerySet:
    since = clock.now() - HERE
    seen = Q(user__seen__at__gte=since) | Q(user__agent__last_seen_at__gte=since)
    return members.filter(seen, user__is_active=True).exclude(user__agent__enabled=False)


def members_here(project: Project) -> list[User]:
    """The members of ``project`` who are there now, by name; at most ``MOST``."""
    rows = _present(Membership.objects.filter(project=project)).select_related("user__agent", "user__seen")
    return sorted((row.user for row in rows.order_by()[:MOST]), key=name_of)


def names_here(projects: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The names of those who are there in each of these projects (by id), in order; one query."""
    names: defaultdict[int, list[str]] = defaultdict(list)
    rows = _present(Membership.objects.filter(project__in=projects)).order_by()
    for project, slug, username in rows.values_list("project", "user__agent__slug", "user__username"):
        names[project].append(slug or username)
    return {project: tuple(sorted(names[project])[:MOST]) for project in projects}


@dataclass(frozen=True)
class SeenAgent:
    """When an agent was last seen, with an open page or by a token; ``is_here``: as ``members_here`` has it."""

    at: datetime | None
    is_here: bool


def seen_agents(agents: Iterable[Agent]) -> dict[int, SeenAgent]:
    """When each of these agents was last seen, by id; one query."""
    agents = list(agents)
    since = clock.now() - HERE
    users = User.objects.filter(agent__in=[agent.pk for agent in agents]).order_by()
    rows = {pk: (at, active) for pk, at, active in users.values_list("agent", "seen__at", "is_active")}
    seen = {}
    for agent in agents:
        at, is_active = rows.get(agent.pk, (None, False))
        last = max(filter(None, (at, agent.last_seen_at)), default=None)
        seen[agent.pk] = SeenAgent(last, bool(last and last >= since and is_active and agent.enabled))
    return seen


def seen_at(user: User) -> datetime | None:
    """When ``user``, one of ``members_here``, was last seen."""
    agent = getattr(user, "agent", None)
    seen = getattr(user, "seen", None)
    return max(filter(None, (seen and seen.at, agent and agent.last_seen_at)), default=None)
