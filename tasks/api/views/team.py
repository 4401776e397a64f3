"""Who there is: oneself, projects and their members, agents and their tokens, skills."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks.actions import agents as agent_verbs
from tasks.actions import projects as project_verbs
from tasks.api import docs, inputs, outputs
from tasks.api.views.base import LIST_QUERY_NAMES, ListView, View
from tasks.errors import Invalid, NotFound, NotPermitted, unknown_name
from tasks.models import Agent, AgentSkill, AgentToken, Membership, Project, Role, Run, Skill
from tasks.permissions import agent_of, may_in_project, may_stop_agent
from tasks.querysets import AgentQuerySet
from tasks.unread import count_unread


def _for_output(agents: AgentQuerySet) -> AgentQuerySet:
    skills = AgentSkill.objects.select_related("skill")
    return agents.with_load().prefetch_related(Prefetch("skills", skills))


def show_agent(agent: Agent) -> dict[str, Any]:
    return outputs.agent_output(_for_output(Agent.objects.all()).get(pk=agent.pk))


class MeView(View):
    """The caller: agent, projects, open runs."""

    @extend_schema(responses=outputs.MeOutput, **docs.ME)
    def get(self, request: Request) -> Response:
        agent = agent_of(self.actor)
        memberships = Membership.objects.filter(user=self.actor).select_related("project").order_by("project__key")
        unread = count_unread(self.actor)
        runs: list[Run] = []
        if agent is not None:
            active = Run.objects.active().filter(agent=agent).select_related("task__project", "agent")
            runs = list(active.order_by("started_at")[:100])
        return Response(
            {
                "agent": show_agent(agent) if agent else None,
                "username": self.actor.get_username(),
                "projects": [{"key": m.project.key, "name": m.project.name, "role": m.role} for m in memberships],
                "runs": outputs.run_outputs(runs, unread=unread),
                "unread": unread,
            }
        )

    @extend_schema(request=inputs.MePatch, responses=outputs.MeOutput, **docs.ME_PATCH)
    def patch(self, request: Request) -> Response:
        changes = self.read(inputs.MePatch)
        agent = agent_of(self.actor)
        if agent is None:
            raise NotPermitted("Only agents have an availability; your account has no agent profile.")
        agent_verbs.edit_agent(actor=self.actor, agent=agent, changes=changes)
        return self.get(request)


class ProjectsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"key": "key", "created_at": "created_at"}

    @extend_schema(responses=outputs.ProjectOutput(many=True), **docs.PROJECTS)
    def get(self, request: Request) -> Response:
        projects = Project.objects.visible_to(self.actor).prefetch_related("memberships__user__agent")
        return self.show_page(projects, outputs.each(outputs.project_output))

    @extend_schema(request=inputs.ProjectInput, responses={201: outputs.ProjectOutput}, **docs.PROJECT_CREATE)
    def post(self, request: Request) -> Response:
        fields = self.read(inputs.ProjectInput)
        members = fields.pop("members", [])
        with transaction.atomic():
            project = project_verbs.create_project(actor=self.actor, **fields)
            set_members(self.actor, project, members)
        return Response(outputs.project_output(self.find_project(project.key)), status=status.HTTP_201_CREATED)


class ProjectView(View):
    @extend_schema(responses=outputs.ProjectOutput, **docs.PROJECT)
    def get(self, request: Request, key: str) -> Response:
        return Response(outputs.project_output(self.find_project(key)))

    @extend_schema(request=inputs.ProjectPatch, responses=outputs.ProjectOutput, **docs.PROJECT_PATCH)
    def patch(self, request: Request, key: str) -> Response:
        project = self.find_project(key)
        changes = self.read(inputs.ProjectPatch)
        members = changes.pop("members", [])
        with transaction.atomic():
            project_verbs.edit_project(actor=self.actor, project=project, changes=changes)
            set_members(self.actor, project, members)
        return Response(outputs.project_output(self.find_project(key)))


def set_members(actor: User, project: Project, members: list[dict[str, Any]]) -> None:
    """Add, change or (role null) remove members by name. Raises ``Invalid`` for a name that is not known."""
    if members and not may_in_project(actor, "manage_members", project):
        raise NotPermitted(f"Only a manager of {project.key} may change its members.")
    for member in members:
        name = member["name"]
        user = User.objects.filter(Q(agent__slug=name) | Q(username=name)).select_related("agent").first()
        if user is None:
            # Only names that the actor can see anyway are suggested.
            known = Agent.objects.visible_to(actor).values_list("slug", flat=True)
            raise Invalid({"members": unknown_name(name, known, what="agent or user")})
        if member["role"] is None:
            project_verbs.remove_member(actor=actor, project=project, user=user)
        else:
            project_verbs.set_member(actor=actor, project=project, user=user, role=Role(member["role"]))


class AgentsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"slug": "slug", "created_at": "created_at"}

    @extend_schema(responses=outputs.AgentOutput(many=True), **docs.AGENTS)
    def get(self, request: Request) -> Response:
        return self.show_page(_for_output(Agent.objects.visible_to(self.actor)), outputs.each(outputs.agent_output))

    @extend_schema(request=inputs.AgentInput, responses={201: outputs.AgentOutput}, **docs.AGENT_CREATE)
    def post(self, request: Request) -> Response:
        fields = self.read(inputs.AgentInput)
        skills = [(has["skill"], has["level"]) for has in fields.pop("skills", [])]
        agent = agent_verbs.create_agent(actor=self.actor, skills=skills, **fields)
        return Response(show_agent(agent), status=status.HTTP_201_CREATED)


class AgentView(View):
    @extend_schema(responses=outputs.AgentOutput, **docs.AGENT)
    def get(self, request: Request, slug: str) -> Response:
        return Response(show_agent(self.find_agent(slug)))

    @extend_schema(request=inputs.AgentPatch, responses=outputs.AgentOutput, **docs.AGENT_PATCH)
    def patch(self, request: Request, slug: str) -> Response:
        agent = self.find_agent(slug)
        changes = self.read(inputs.AgentPatch)
        listed = changes.pop("skills", None)
        skills = [(has["skill"], has["level"]) for has in listed] if listed is not None else None
        agent_verbs.edit_agent(actor=self.actor, agent=agent, changes=changes, skills=skills)
        return Response(show_agent(agent))


class TokensView(ListView):
    """Tokens of an agent, for those who manage it."""

    query_names = LIST_QUERY_NAMES
    orderings = {"created_at": "created_at"}

    def _tokens(self, slug: str) -> QuerySet[AgentToken]:
        agent = self.find_agent(slug)
        if not may_stop_agent(self.actor, agent):
            raise NotPermitted(f"Only a manager of a project of {slug} may see its tokens.")
        return AgentToken.objects.filter(agent=agent)

    @extend_schema(responses=outputs.TokenOutput(many=True), **docs.TOKENS)
    def get(self, request: Request, slug: str) -> Response:
        return self.show_page(self._tokens(slug), outputs.each(outputs.token_output))

    @extend_schema(request=inputs.TokenInput, responses={201: outputs.NewTokenOutput}, **docs.TOKEN_CREATE)
    def post(self, request: Request, slug: str) -> Response:
        agent = self.find_agent(slug)
        fields = self.read(inputs.TokenInput)
        token, secret = agent_verbs.create_token(actor=self.actor, agent=agent, **fields)
        answer = {"token": secret, "name": token.name, "expires_at": token.expires_at}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class TokenView(View):
    @extend_schema(responses={204: None}, **docs.TOKEN_REVOKE)
    def delete(self, request: Request, slug: str, id: str) -> Response:
        agent = self.find_agent(slug)
        token = AgentToken.objects.filter(agent=agent, pk=int(id)).select_related("agent").first()
        if token is None:
            raise NotFound(f"{slug} has no token with that id.")
        agent_verbs.revoke_token(actor=self.actor, token=token)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SkillsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"name": "name"}

    @extend_schema(responses=outputs.SkillOutput(many=True), **docs.SKILLS)
    def get(self, request: Request) -> Response:
        return self.show_page(Skill.objects.all(), outputs.each(outputs.skill_output))

    @extend_schema(request=inputs.SkillInput, responses={201: outputs.SkillOutput}, **docs.SKILL_CREATE)
    def post(self, request: Request) -> Response:
        skill = agent_verbs.create_skill(actor=self.actor, **self.read(inputs.SkillInput))
        return Response(outputs.skill_output(skill), status=status.HTTP_201_CREATED)
