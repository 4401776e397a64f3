"""Agents, with their load, skills and owners."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Choice, Integer, PlainText, StrictSerializer
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from taskproject.prepared.querysets import prepared
from tasks.actions import agents as agent_verbs
from tasks.api.fields import MOST_SKILLS
from tasks.api.owners import OwnerInput, OwnerOutput, owner_of, with_owner
from tasks.assignment.presence import State, state_of
from tasks.errors import NotFound
from tasks.finding import find_agent
from tasks.load import loads_of
from tasks.models import Agent, AgentKind, AgentSkill, Availability
from tasks.permissions import within_reach
from tasks.querysets import AgentQuerySet, sees_all


class AgentSkillOutput(serializers.Serializer):
    skill = serializers.CharField(source="skill.name")
    level = serializers.IntegerField(min_value=1, max_value=5)


class Load(serializers.Serializer):
    active_runs = serializers.IntegerField()
    open_assignments = serializers.IntegerField(help_text="Assigned and not started.")
    capacity = serializers.IntegerField(source="max_concurrent")


class AgentOutput(serializers.Serializer):
    # For rows of ``show_agents``.
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(AgentKind.choices)
    enabled = serializers.BooleanField()
    availability = serializers.ChoiceField(Availability.choices, help_text="What its owner has set.")
    state = serializers.SerializerMethodField(help_text="Whether it would be given work now, and if not, why.")
    version = serializers.CharField()
    owner = OwnerOutput(source="*", allow_null=True)
    working_hours = serializers.CharField()
    time_zone = serializers.CharField()
    skills = AgentSkillOutput(many=True, source="shown_skills")
    load = Load(source="*")
    last_seen_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(State.choices))
    def get_state(self, agent: Any) -> str:
        return state_of(agent, agent.as_of).value


@prepared
def _rows(agents: Any, user: Any, reach: Any, *, limited: bool, sees_all: bool) -> AgentQuerySet:
    known = Agent.objects.filter(pk__any=agents).annotate(as_of=Now()).order_by()
    return with_owner(known, user, reach, limited=limited, sees_all=sees_all)


@prepared
def _skills(agents: Any) -> QuerySet[AgentSkill]:
    return AgentSkill.objects.filter(agent__id__any=agents).select_related("skill")


def show_agents(agents: Iterable[Agent], reader: User) -> list[dict[str, Any]]:
    """The agents, in their order, as they are now. A fixed number of statements, however many they are."""
    ids = [agent.pk for agent in agents]
    rows: dict[int, Any] = {
        row.pk: row for row in _rows.all(agents=ids, sees_all=sees_all(reader), **within_reach(reader))
    }
    loads = loads_of(ids)
    for pk, row in rows.items():
        row.shown_skills, row.active_runs, row.open_assignments = [], loads[pk].active_runs, loads[pk].open_assignments
    for has in _skills.all(agents=ids):
        rows[has.agent_id].shown_skills.append(has)
    return [shown(AgentOutput, rows[pk]) for pk in ids if pk in rows]


def show_agent(agent: Agent, reader: User) -> dict[str, Any]:
    """The agent as it is now. Raises ``NotFound`` if it was deleted meanwhile."""
    shown = show_agents([agent], reader)
    if not shown:
        raise NotFound(f"{agent.slug} was deleted meanwhile.")
    return shown[0]


class SkillLevelInput(StrictSerializer):
    skill = PlainText(allow_blank=False, max_length=60)
    level = Integer(min_value=1, max_value=5, default=3)


class AgentPatch(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=120, required=False)
    enabled = Boolean(required=False)
    availability = serializers.ChoiceField(Availability.choices, required=False)
    max_concurrent = Integer(min_value=1, max_value=100, required=False)
    version = PlainText(max_length=120, required=False)
    working_hours = PlainText(max_length=200, required=False, help_text="As in Mon-Fri 09:00-17:00; empty: always.")
    time_zone = PlainText(max_length=60, required=False, help_text="As in Europe/Vienna; empty: the server's.")
    skills = SkillLevelInput(many=True, required=False, max_length=MOST_SKILLS)  # type: ignore[call-arg]
    owner = OwnerInput(required=False, help_text="Hands an LLM agent over.")


class AgentInput(StrictSerializer):
    slug = PlainText(allow_blank=False, max_length=60)
    name = PlainText(max_length=120, required=False, default="")
    kind = Choice(AgentKind.choices, default=AgentKind.LLM)
    max_concurrent = Integer(min_value=1, max_value=100, default=1)
    skills = SkillLevelInput(many=True, required=False, max_length=MOST_SKILLS)  # type: ignore[call-arg]
    owner = OwnerInput(required=False, help_text="You (the default), or a project that you manage.")


class AgentsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"slug": "slug", "created_at": "created_at"}

    @operation(
        "team",
        "list_agents",
        "Agents I share a project with or own, with their load",
        responses=AgentOutput(many=True),
    )
    def get(self, request: Request) -> Response:
        return self.show_page(Agent.objects.visible_to(self.actor), lambda page: show_agents(page, self.actor))

    @operation(
        "team",
        "create_agent",
        "Create an agent",
        "Staff only. Make it a member of a project next, and give it a token. An LLM agent has an owner, who alone "
        "pauses it everywhere, says what it can do, and makes and revokes its tokens: you, or the project that you "
        "name, whose managers then act for it. A person owns themself.",
        request=AgentInput,
        responses={201: AgentOutput},
        request_example={
            "slug": "atlas",
            "max_concurrent": 2,
            "skills": [{"skill": "python", "level": 4}],
            "owner": {"kind": "project", "name": "OPS"},
        },
    )
    def post(self, request: Request) -> Response:
        fields = self.read(AgentInput)
        skills = [(has["skill"], has["level"]) for has in fields.pop("skills", [])]
        if (owner := fields.pop("owner", None)) is not None:
            fields["owner"] = owner_of(self.actor, owner)
        agent = agent_verbs.create_agent(actor=self.actor, skills=skills, **fields)
        return Response(show_agent(agent, self.actor), status=status.HTTP_201_CREATED)


class AgentView(View):
    @operation(
        "team",
        "get_agent",
        "One agent with its load",
        responses=AgentOutput,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(show_agent(find_agent(self.actor, slug), self.actor))

    @operation(
        "team",
        "patch_agent",
        "Change an agent",
        "For its owner. An LLM agent itself may change its availability and version; a manager of all projects of a "
        "person may change their capacity, skills and working hours. To pause an agent in one project, or to remove it "
        "from there, change the project's members.",
        request=AgentPatch,
        responses=AgentOutput,
        request_example={"max_concurrent": 3},
    )
    def patch(self, request: Request, slug: str) -> Response:
        agent = find_agent(self.actor, slug)
        changes = self.read(AgentPatch)
        listed = changes.pop("skills", None)
        skills = [(has["skill"], has["level"]) for has in listed] if listed is not None else None
        owner = changes.pop("owner", None)
        with transaction.atomic():
            if changes or skills is not None or owner is None:
                agent_verbs.edit_agent(actor=self.actor, agent=agent, changes=changes, skills=skills)
            if owner is not None:
                agent_verbs.hand_over_agent(actor=self.actor, agent=agent, owner=owner_of(self.actor, owner))
        return Response(show_agent(agent, self.actor))
