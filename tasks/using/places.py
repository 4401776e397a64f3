"""Where an agent works, as every door shows it, and what the reader may do about it."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from tasks.models import Agent, Membership, Project
from tasks.permissions import may_in_project, may_take_out, owns


@dataclass(frozen=True)
class Place:
    """A project that an agent is in, and what the reader may do about it."""

    membership: Membership
    may_pause: bool
    may_take_out: bool


def places_of(agent: Agent, reader: User) -> list[Place]:
    """The projects of ``agent`` that ``reader`` sees; whoever owns it sees all."""
    memberships = Membership.objects.filter(user=agent.user_id).select_related("project").order_by("project__key")
    if not owns(reader, agent):
        memberships = memberships.filter(project__in=Project.objects.visible_to(reader).values("pk"))
    return [
        Place(
            membership,
            may_pause=may_in_project(reader, "manage_members", membership.project),
            may_take_out=may_take_out(reader, membership.project, agent.user),
        )
        for membership in memberships
    ]
