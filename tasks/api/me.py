"""The caller: agent, projects, open runs, token."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer
from taskproject.api.views import View, shown
from taskproject.prepared.querysets import prepared
from tasks.actions import agents as agent_verbs
from tasks.api.agents import AgentOutput, show_agent
from tasks.api.runs import RunOutput, run_outputs
from tasks.api.tokens import MyTokenOutput, with_keys
from tasks.errors import NotPermitted
from tasks.models import AgentToken, Availability, Membership, Run
from tasks.permissions import agent_of, within_reach
from tasks.replies import count_unread

#: The longest-running of the caller's runs that are listed.
MOST_RUNS = 100


class MeOutput(serializers.Serializer):
    agent = AgentOutput(allow_null=True)
    username = serializers.CharField()
    projects = serializers.ListField(child=serializers.DictField(), help_text="key, name, role")
    runs = RunOutput(many=True, help_text="Your active runs, so that a restarted agent can resume.")
    unread = serializers.IntegerField(help_text="Your unread notifications, counted up to 1000.")
    token = MyTokenOutput(allow_null=True, help_text="What you call with; null for a session.")


class MePatch(StrictSerializer):
    availability = serializers.ChoiceField(Availability.choices, required=False)
    version = PlainText(max_length=120, required=False)


@prepared
def _memberships(user: Any, reach: Any, *, limited: bool) -> QuerySet[Membership, Any]:
    mine = Membership.objects.filter(user=user)
    if limited:
        mine = mine.filter(project__id__any=reach)
    return mine.order_by("project__key").values_list("project__key", "project__name", "role")


@prepared
def _active_runs(agent: Any, reach: Any, *, limited: bool) -> QuerySet[Run]:
    active = Run.objects.active().filter(agent=agent)
    if limited:
        active = active.filter(task__project__id__any=reach)
    return active.select_related("task__project", "agent").order_by("started_at")[:MOST_RUNS]


class MeView(View):
    """The caller: agent, projects, open runs."""

    @operation(
        "team",
        "get_me",
        "Who am I",
        "The caller's agent, projects and active runs: where a restarted agent starts.",
        responses=MeOutput,
    )
    def get(self, request: Request) -> Response:
        agent = agent_of(self.actor)
        within = within_reach(self.actor)
        memberships = _memberships.all(**within)
        unread = count_unread(self.actor)
        runs: list[Run] = []
        if agent is not None:
            runs = _active_runs.all(agent=agent.pk, reach=within["reach"], limited=within["limited"])
        return Response(
            {
                "agent": show_agent(agent, self.actor) if agent else None,
                "username": self.actor.get_username(),
                "projects": [{"key": key, "name": name, "role": role} for key, name, role in memberships],
                "runs": run_outputs(runs, holder=self.actor, unread=unread, delivers=False),
                "unread": unread,
                "token": self._token(),
            }
        )

    def _token(self) -> dict[str, Any] | None:
        token = self.request.auth
        return shown(MyTokenOutput, *with_keys([token], self.actor)) if isinstance(token, AgentToken) else None

    @operation(
        "team",
        "patch_me",
        "Change my availability or version",
        request=MePatch,
        responses=MeOutput,
        request_example={"availability": "paused", "version": "model-2"},
    )
    def patch(self, request: Request) -> Response:
        changes = self.read(MePatch)
        agent = agent_of(self.actor)
        if agent is None:
            raise NotPermitted("Only agents have an availability; your account has no agent profile.")
        agent_verbs.edit_agent(actor=self.actor, agent=agent, changes=changes)
        return self.get(request)
