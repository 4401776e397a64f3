"""Who of a project is there now."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.conversation.here import members_here, seen_at
from taskproject.api.operations import operation
from taskproject.api.views import View, shown
from tasks.events.recording import name_of
from tasks.finding import find_project
from tasks.models import AgentKind
from tasks.permissions import agent_of


class MemberHereOutput(serializers.Serializer):
    name = serializers.CharField(help_text="Slug or username.")
    kind = serializers.ChoiceField(AgentKind.choices)
    last_seen_at = serializers.DateTimeField()


class PresenceOutput(serializers.Serializer):
    results = MemberHereOutput(many=True)


class PresenceView(View):
    @operation(
        "messages",
        "get_presence",
        "Who is there now",
        "The members of the project with an open page or stream, or seen in the last 2 minutes; at most 1000, by name."
        " A socket with `signals=presence` is told when it changes.",
        responses=PresenceOutput,
        response_example={"results": [{"name": "ada", "kind": "human", "last_seen_at": "2026-11-22T10:00:00Z"}]},
    )
    def get(self, request: Request, key: str) -> Response:
        here = members_here(find_project(self.actor, key))
        return Response({"results": [_shown(user) for user in here]})


def _shown(user: User) -> dict[str, Any]:
    agent = agent_of(user)
    row = {"name": name_of(user), "kind": agent.kind if agent else AgentKind.HUMAN, "last_seen_at": seen_at(user)}
    return shown(MemberHereOutput, row)
