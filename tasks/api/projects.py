"""Projects, their rules and their members."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Choice, Decimals, Integer, PlainText, StrictSerializer, TextOf
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.actions import projects as project_verbs
from tasks.actions.members import KEPT, MemberChange, MemberWish, Outcome, change_members
from tasks.api.invitations import InvitationOutput, show_invitation
from tasks.events.recording import name_of
from tasks.finding import find_project
from tasks.matching import policies
from tasks.models import AssignmentMode, Project, Role
from tasks.models.project import LIMIT_MOST
from tasks.permissions import may_in_project
from tasks.verbs.catalogue import (
    LEASE_SECONDS_MAX,
    LEASE_SECONDS_MIN,
    STOP_GRACE_SECONDS_MAX,
    STOP_GRACE_SECONDS_MIN,
)


class MemberOutput(serializers.Serializer):
    name = TextOf(
        lambda membership: name_of(membership.user),
        help_text="The agent's slug, or the username of a user without an agent.",
    )
    role = serializers.ChoiceField(Role.choices)
    paused_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when a manager lets the agent take no work in this project."
    )


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
    stop_grace_seconds = serializers.IntegerField()
    limit_in_progress = serializers.IntegerField(
        allow_null=True, help_text="Agents stop starting tasks when this many are in progress; people may go on."
    )
    limit_in_review = serializers.IntegerField(
        allow_null=True, help_text="Agents stop starting tasks when this many wait for a review; people may go on."
    )
    policy = serializers.CharField(help_text="The policy by which automatic assignment chooses.")
    share_weight = serializers.FloatField()
    patience_minutes = serializers.IntegerField()
    accept_within_llm_seconds = serializers.IntegerField()
    accept_within_human_seconds = serializers.IntegerField()
    members = MemberOutput(many=True, source="memberships")
    created_at = serializers.DateTimeField()


class MemberChangeOutput(serializers.Serializer):
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices, allow_null=True)
    outcome = serializers.ChoiceField([(outcome.value, outcome.value) for outcome in Outcome])
    invitation = serializers.IntegerField(source="invitation.id", allow_null=True, default=None)
    detail = serializers.CharField(source="sentence")


class ProjectDetailOutput(ProjectOutput):
    invitations = InvitationOutput(many=True, help_text="Those that are pending; for managers, otherwise empty.")
    member_changes = MemberChangeOutput(many=True, help_text="What became of the members that this request named.")


class MemberInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=150)
    role = Choice(
        Role.choices, allow_null=True, required=False, help_text="null removes the member; left out: as it is."
    )
    paused = Boolean(required=False, help_text="Whether the agent takes no work in this project; for members.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "role" not in attrs and "paused" not in attrs:
            raise serializers.ValidationError({"role": "Give a role (null removes the member), or paused."})
        return attrs


class ProjectRules(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=200, required=False)
    description = PlainText(required=False)
    mode = serializers.ChoiceField(AssignmentMode.choices, required=False)
    allow_pull = Boolean(required=False)
    workers_create = Boolean(required=False)
    review_required = Boolean(required=False)
    lease_seconds = Integer(min_value=LEASE_SECONDS_MIN, max_value=LEASE_SECONDS_MAX, required=False)
    stalled_after_seconds = Integer(min_value=30, max_value=7 * 24 * 3600, required=False)
    stop_grace_seconds = Integer(min_value=STOP_GRACE_SECONDS_MIN, max_value=STOP_GRACE_SECONDS_MAX, required=False)
    limit_in_progress = Integer(
        min_value=1, max_value=LIMIT_MOST, allow_null=True, required=False, help_text="null: no limit."
    )
    limit_in_review = Integer(
        min_value=1, max_value=LIMIT_MOST, allow_null=True, required=False, help_text="null: no limit."
    )
    policy = serializers.ChoiceField(policies.names(), required=False)
    share_weight = Decimals(min_value=0.01, max_value=100, required=False)
    patience_minutes = Integer(min_value=1, max_value=365 * 24 * 60, required=False)
    accept_within_llm_seconds = Integer(min_value=5, max_value=30 * 24 * 3600, required=False)
    accept_within_human_seconds = Integer(min_value=5, max_value=30 * 24 * 3600, required=False)


#: Members that one request adds, changes or removes.
MOST_MEMBERS = 1_000


class ProjectPatch(ProjectRules):
    members = MemberInput(  # type: ignore[call-arg]
        many=True, required=False, max_length=MOST_MEMBERS, help_text="Members to add or invite, change, remove."
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
        projects = Project.objects.visible_to(self.actor).with_members()
        return self.show_each(projects, ProjectOutput)

    @operation(
        "team",
        "create_project",
        "Create a project",
        "Staff only. The creator becomes its manager. Members are added or invited, see there.",
        request=ProjectInput,
        responses={201: ProjectDetailOutput},
        request_example={"key": "OPS", "name": "Operations", "members": [{"name": "atlas", "role": "worker"}]},
    )
    def post(self, request: Request) -> Response:
        fields = self.read(ProjectInput)
        members = fields.pop("members", [])
        with transaction.atomic():
            project = project_verbs.create_project(actor=self.actor, **fields)
            changes = change_members(actor=self.actor, project=project, wishes=_wishes(members)) if members else []
        return Response(_show(self.actor, _present(project), changes), status=status.HTTP_201_CREATED)


class ProjectView(View):
    @operation(
        "team",
        "get_project",
        "One project",
        responses=ProjectDetailOutput,
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(_show(self.actor, find_project(self.actor, key)))

    @operation(
        "team",
        "patch_project",
        "Change a project's rules and members",
        "For managers; others may only take out themselves and the LLM agents that they own. Everything or nothing. "
        "Members that are not listed stay as they are; the role null removes one, and `paused` lets an agent take no "
        "work in this project while it keeps what it works on. Whom you may not simply add (you own "
        "the LLM agent, or manage all their projects) is invited and joins by accepting. `member_changes` says what "
        "became of each; it does not say whether an invited name exists.",
        request=ProjectPatch,
        responses=ProjectDetailOutput,
        request_example={"lease_seconds": 600, "members": [{"name": "bert", "role": "reviewer"}]},
    )
    def patch(self, request: Request, key: str) -> Response:
        project = find_project(self.actor, key)
        rules = self.read(ProjectPatch)
        wishes = _wishes(rules.pop("members", []))
        changes: list[MemberChange] = []
        if wishes:
            changes = change_members(actor=self.actor, project=project, wishes=wishes, rules=rules)
        else:
            project_verbs.edit_project(actor=self.actor, project=project, changes=rules)
        return Response(_show(self.actor, _present(project), changes))


def _present(project: Project) -> Project:
    """The project as it is now, whether or not the caller has just left it."""
    return Project.objects.with_members().get(pk=project.pk)


def _wishes(members: list[dict[str, Any]]) -> list[MemberWish]:
    return [
        MemberWish(member["name"], Role(role) if isinstance(role, str) else role, paused=member.get("paused"))
        for member in members
        for role in (member.get("role", KEPT),)
    ]


def _show(actor: User, project: Project, changes: Iterable[MemberChange] = ()) -> dict[str, Any]:
    """The project with what became of the members in this request; without invitations unless ``actor`` manages it."""
    pending = project.invitations.standing().select_related("project", "invited_by__agent").order_by("pk")
    manages = may_in_project(actor, "manage_members", project)
    return {
        **shown(ProjectOutput, project),
        "invitations": [show_invitation(row) for row in pending] if manages else [],
        "member_changes": [shown(MemberChangeOutput, change) for change in changes],
    }
