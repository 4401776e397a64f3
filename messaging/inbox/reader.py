"""Who reads an inbox: their roles, and with them the rows that they can do something about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from taskproject.prepared.parameters import for_driver
from taskproject.reach import Reach, caller_of, limited, reach_of
from tasks.models import Agent, AgentKind, Membership, Role
from tasks.permissions import agent_of, memberships_of
from tasks.querysets import is_superuser, sees_all

#: Stand for the ids of a reader and of their agent in a statement that serves many; nobody has them.
STAND_INS = _ANY_USER, _ANY_AGENT = -(2**31) + 1, -(2**31) + 2


@dataclass(frozen=True)
class Standing:
    """What of a reader decides how their rows are looked for; readers who stand alike differ in their ids alone.

    ``kind`` and ``enabled``: of their agent; None: they have none.
    """

    is_active: bool
    is_superuser: bool
    kind: str | None
    enabled: bool | None
    reach: Reach

    def somebody(self) -> User:
        """Somebody who stands like this, whose ids ``Reader.filled_in`` knows."""
        user = User(pk=_ANY_USER, is_active=self.is_active, is_superuser=self.is_superuser)
        agent = None
        if self.kind is not None:
            agent = Agent(pk=_ANY_AGENT, user=user, kind=self.kind, enabled=bool(self.enabled))
        # Also that there is none, which would be looked up.
        User._meta.get_field("agent").set_cached_value(user, agent)
        return limited(user, self.reach)


@dataclass(frozen=True)
class Reader:
    """``user`` as the caller whose credentials they are; everything is as of ``now``.

    ``joined``: for the count at the top of every page, roles and time are read by the same statement as the rows.
    """

    user: User
    now: datetime
    joined: bool = False

    @property
    def moment(self) -> Any:
        """The present time in SQL."""
        return Now() if self.joined else self.now

    @cached_property
    def agent(self) -> Agent | None:
        return agent_of(self.user)

    @property
    def standing(self) -> Standing:
        user, agent = self.user, self.agent
        kind, enabled = (agent.kind, agent.enabled) if agent is not None else (None, None)
        return Standing(user.is_active, user.is_superuser, kind, enabled, reach_of(user))

    def filled_in(self, values: Iterable[Any]) -> list[Any]:
        """Values of a statement for somebody who stands alike, with the ids of this reader, as drivers take them."""
        ids = {_ANY_USER: self.user.pk, _ANY_AGENT: self.agent.pk if self.agent is not None else None}
        return [for_driver(ids.get(value, value)) if isinstance(value, int) else value for value in values]

    @property
    def is_person(self) -> bool:
        return self.agent is None or self.agent.kind == AgentKind.HUMAN

    @property
    def callers(self) -> list[int]:
        """The accounts that answer for the call: what one of them did, this reader may not judge."""
        return [pk for pk in caller_of(self.user) if pk is not None]

    @cached_property
    def roles(self) -> dict[int, Role]:
        """The role in each project (by id) in which the reader is a member, as far as their credentials reach."""
        rows = memberships_of(self.user).values_list("project", "role")
        return {project: Role(role) for project, role in rows.order_by()}

    def where(self, least: Role, project: str = "project") -> Q:
        """Rows of the projects in which the reader has at least this role. ``project``: how a row names its project."""
        if sees_all(self.user):
            return Q()
        if is_superuser(self.user):
            return Q(**{f"{project}__in": sorted(reach_of(self.user).projects or ())})
        return self.as_role(*(role for role in Role if role.includes(least)), project=project)

    def as_role(self, *roles: Role, project: str = "project") -> Q:
        """Rows of the projects in which the reader is a member with one of these roles."""
        if self.joined:
            mine = memberships_of(self.user).filter(role__in=roles).order_by().values("project")
            return Q(**{f"{project}__in": mine})
        # A list: given the few ids, the planner walks the index in order.
        return Q(**{f"{project}__in": sorted(pk for pk, role in self.roles.items() if role in roles)})

    def includes(self, project_id: int, least: Role) -> bool:
        """Whether the reader has at least this role in the project."""
        if is_superuser(self.user):
            return reach_of(self.user).includes(project_id)
        role = self.roles.get(project_id)
        return role is not None and role.includes(least)

    def leads(self, task: str = "") -> Q:
        """Rows whose trouble is the reader's before other managers': they created the task, or nobody who did manages
        the project. ``task``: how a row refers to the task, as in ``task__``.
        """
        creators = Membership.objects.filter(
            project=OuterRef(f"{task}project"),
            user=OuterRef(f"{task}created_by"),
            role=Role.MANAGER,
            user__is_active=True,
        )
        return Q(**{f"{task}created_by": self.user}) | ~Q(Exists(creators))
