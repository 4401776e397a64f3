"""Where an agent works, as every door shows it, and what the reader may do about it."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from tasks.models import Agent, Membership, Project
from tasks.permissions import may_in_project, may_take_out, owns
from tasks.querysets import MembershipQuerySet


@dataclass(frozen=True)
class Place:
    """A project that an agent is in, and what the reader may do about it."""

    membership: Membership
    may_pause: bool
    may_take_out: bool


def memberships_seen(agent: Agent, reader: User) -> MembershipQuerySet:
    """Where ``agent`` is a member, as far as ``reader`` sees; whoever owns it sees all."""
    memberships: MembershipQuerySet = Membership.objects.filter(user=agent.user_id).select_related("project")
    if owns(reader, agent):
        return memberships
    return memberships.filter(project__in=Project.objects.visible_to(reader).values("pk"))


def places_of(agent: Agent, reader: User) -> list[Place]:
    """The same by project, with what ``reader`` may do."""
    memberships = memberships_seen(agent, reader).order_by("project__key")
    return [
        Place(
            membership,
            may_pause=may_in_project(reader, "manage_members", membership.project),
            may_take_out=may_take_out(reader, membership.project, agent.user),
        )
        for membership in memberships
    ]
