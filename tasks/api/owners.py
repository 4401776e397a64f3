"""Who owns an agent, as the API shows it and takes it."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, Value
from rest_framework import serializers

from taskproject.api.serializers import Choice, PlainText, StrictSerializer
from tasks.events.recording import name_of
from tasks.finding import find_owner
from tasks.models import AgentKind, Membership, Project
from tasks.querysets import AgentQuerySet

KINDS = [("project", "Project"), ("user", "Person")]


class OwnerOutput(serializers.Serializer):
    """Of agents ``with_owner``; null if only administrators act for the agent."""

    kind = serializers.ChoiceField(KINDS)
    name = serializers.CharField(
        allow_null=True, help_text="The project's key, or the person's name; null if you do not share a project."
    )

    def to_representation(self, agent: Any) -> Any:
        if agent.kind == AgentKind.HUMAN:
            return {"kind": "user", "name": name_of(agent.user)}
        if agent.owner_project is not None:
            return {"kind": "project", "name": agent.owner_project.key if agent.shows_owner else None}
        if agent.owner_user is not None:
            return {"kind": "user", "name": name_of(agent.owner_user) if agent.shows_owner else None}
        return None


class OwnerInput(StrictSerializer):
    kind = Choice(KINDS)
    name = PlainText(allow_blank=False, max_length=150, help_text="A project's key, or a person's name.")


def with_owner(agents: AgentQuerySet, user: Any, reach: Any, *, limited: bool, sees_all: bool) -> AgentQuerySet:
    """Adds ``shows_owner``: whether the reader sees who owns the agent; they may share no other project with them.

    The reader is given as ``within_reach`` and ``sees_all`` say, in a prepared statement.
    """
    agents = agents.select_related("user", "owner_project", "owner_user__agent")
    if sees_all:
        return agents.annotate(shows_owner=Value(True))
    mine = Membership.objects.filter(user=user)
    if limited:
        mine = mine.filter(project__id__any=reach)
    of_owner = Membership.objects.filter(user=OuterRef("owner_user"), project__in=mine.values("project"))
    shown = Q(owner_user=user) | Exists(mine.filter(project=OuterRef("owner_project"))) | Exists(of_owner)
    return agents.annotate(shows_owner=shown)


def owner_of(actor: User, fields: dict[str, str]) -> User | Project:
    """The owner that ``fields`` of an ``OwnerInput`` name. Raises ``Invalid``."""
    name = fields["name"]
    return find_owner(actor, project=name) if fields["kind"] == "project" else find_owner(actor, user=name)
