"""Projects, their rules and their members."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Choice, Decimals, Integer, PlainText, StrictSerializer, TextOf
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.actions import projects as project_verbs
from tasks.errors import Invalid, NotPermitted, unknown_name
from tasks.events.recording import name_of
from tasks.finding import find_project
from tasks.matching import policies
from tasks.models import Agent, AssignmentMode, Project, Role
from tasks.permissions import may_in_project
from tasks.verbs.catalogue import LEASE_SECONDS_MAX, LEASE_SECONDS_MIN


class MemberOutput(serializers.Serializer):
    name = TextOf(
        lambda membership: name_of(membership.user),
        help_text="The agent's slug, or the username of a user without an agent.",
    )
    role = serializers.ChoiceField(Role.choices)


class ProjectOutput(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    mode = serializers.ChoiceField(["manual", "auto"])
    allow_pull = serializers.BooleanField()
    workers_create = serializers.BooleanField()
    review_required = serializers.BooleanField()
    lease_seconds = serializers.IntegerField()
    stalled_after_seconds = serializers.IntegerField()
    policy = serializers.CharField(help_text="The policy by which automatic assignment chooses.")
    share_weight = serializers.FloatField()
    patience_minutes = serializers.IntegerField()
    accept_within_llm_seconds = serializers.IntegerField()
    accept_within_human_seconds = serializers.IntegerField()
    members = MemberOutput(many=True, source="memberships")
    created_at = serializers.DateTimeField()


class MemberInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=150)
    role = Choice(Role.choices, allow_null=True, help_text="null removes the member.")


class ProjectRules(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=200, required=False)
    description = PlainText(required=False)
    mode = serializers.ChoiceField(AssignmentMode.choices, required=False)
    allow_pull = Boolean(required=False)
    workers_create = Boolean(required=False)
    review_required = Boolean(required=False)
    lease_seconds = Integer(min_value=LEASE_SECONDS_MIN, max_value=LEASE_SECONDS_MAX, required=False)
    stalled_after_seconds = Integer(min_value=30, max_value=7 * 24 * 3600, required=False)
    policy = serializers.ChoiceField(policies.names(), required=False)
    share_weight = Decimals(min_value=0.01, max_value=100, required=False)
    patience_minutes = Integer(min_value=1, max_value=365 * 24 * 60, required=False)
    accept_within_llm_seconds = Integer(min_value=5, max_value=30 * 24 * 3600, required=False)
    accept_within_human_seconds = Integer(min_value=5, max_value=30 * 24 * 3600, required=False)


#: Members that one request adds, changes or removes.
MOST_MEMBERS = 1_000


class ProjectPatch(ProjectRules):
    members = MemberInput(  # type: ignore[call-arg]
        many=True,
        required=False,
        max_length=MOST_MEMBERS,
        help_text="Members to add, change or remove; others stay.",
    )


class ProjectInput(ProjectPatch):
    key = PlainText(allow_blank=False, max_length=12)
    name = PlainText(allow_blank=False, max_length=200)


class ProjectsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"key": "key", "created_at": "created_at"}

    @operation(
        "team",
        "list_projects",
        "Projects I am a member of",
        responses=ProjectOutput(many=True),
    )
    def get(self, request: Request) -> Response:
        projects = Project.objects.visible_to(self.actor).prefetch_related("memberships__user__agent")
        return self.show_each(projects, ProjectOutput)

    @operation(
        "team",
        "create_project",
        "Create a project",
        "Staff only. The creator becomes its manager.",
        request=ProjectInput,
        responses={201: ProjectOutput},
        request_example={"key": "OPS", "name": "Operations", "members": [{"name": "atlas", "role": "worker"}]},
    )
    def post(self, request: Request) -> Response:
        fields = self.read(ProjectInput)
        members = fields.pop("members", [])
        with transaction.atomic():
            project = project_verbs.create_project(actor=self.actor, **fields)
            set_members(self.actor, project, members)
        return Response(shown(ProjectOutput, find_project(self.actor, project.key)), status=status.HTTP_201_CREATED)


class ProjectView(View):
    @operation(
        "team",
        "get_project",
        "One project",
        responses=ProjectOutput,
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(shown(ProjectOutput, find_project(self.actor, key)))

    @operation(
        "team",
        "patch_project",
        "Change a project's rules and members",
        "Managers only. Members that are not listed stay as they are; the role null removes one.",
        request=ProjectPatch,
        responses=ProjectOutput,
        request_example={"lease_seconds": 600, "members": [{"name": "bert", "role": "reviewer"}]},
    )
    def patch(self, request: Request, key: str) -> Response:
        project = find_project(self.actor, key)
        changes = self.read(ProjectPatch)
        members = changes.pop("members", [])
        with transaction.atomic():
            project_verbs.edit_project(actor=self.actor, project=project, changes=changes)
            set_members(self.actor, project, members)
        return Response(shown(ProjectOutput, find_project(self.actor, key)))


def set_members(actor: User, project: Project, members: list[dict[str, Any]]) -> None:
    """Add, change or (role null) remove members by name. Raises ``Invalid`` for an unknown name."""
    if members and not may_in_project(actor, "manage_members", project):
        raise NotPermitted(f"Only a manager of {project.key} may change its members.")
    for member in members:
        name = member["name"]
        user = User.objects.filter(Q(agent__slug=name) | Q(username=name)).select_related("agent").first()
        if user is None:
            # Suggest only names that the actor can see anyway.
            known = Agent.objects.visible_to(actor).values_list("slug", flat=True)
            raise Invalid({"members": unknown_name(name, known, what="agent or user")})
        if member["role"] is None:
            project_verbs.remove_member(actor=actor, project=project, user=user)
        else:
            project_verbs.set_member(actor=actor, project=project, user=user, role=Role(member["role"]))
