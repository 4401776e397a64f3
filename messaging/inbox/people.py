"""The people around the items of a page: who else could act, and to whom a task can be given; read once for all."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from messaging.inbox.reader import Reader
from tasks.events.recording import name_of
from tasks.models import Agent, Membership, Role
from tasks.permissions import is_llm

#: Members looked at for all projects of a page together, and agents offered for one project.
MOST_MEMBERS = 2_000
MOST_CHOICES = 200


class People:
    """The members of some projects, as ``reader`` is told about them; the reader is never one of the others."""

    def __init__(self, reader: Reader, projects: Iterable[int]) -> None:
        self.reader, self.projects = reader, sorted(set(projects))

    @cached_property
    def _members(self) -> dict[int, list[Membership]]:
        rows = Membership.objects.filter(project__in=self.projects, user__is_active=True).exclude(role=Role.VIEWER)
        rows = rows.exclude(user__agent__enabled=False).select_related("user__agent").order_by("user__username")
        by_project: dict[int, list[Membership]] = defaultdict(list)
        for membership in rows[:MOST_MEMBERS]:
            by_project[membership.project_id].append(membership)
        return by_project

    def others(
        self, project_id: int, least: Role, *, but: Iterable[int | None] = (), are_people: bool = False
    ) -> list[str]:
        """Names of those with at least this role, without the reader and the users ``but``; with ``are_people``
        without LLM agents.
        """
        left_out = {*but, self.reader.user.pk}
        return [
            name_of(member.user)
            for member in self._members[project_id]
            if Role(member.role).includes(least)
            and member.user_id not in left_out
            and not (are_people and is_llm(member.user))
        ]

    def agents(self, project_id: int) -> list[Agent]:
        """Those who may be given a task of the project."""
        agents = (getattr(member.user, "agent", None) for member in self._members[project_id])
        return [agent for agent in agents if agent is not None][:MOST_CHOICES]
