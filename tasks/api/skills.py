"""Skills that agents have and tasks require."""

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer
from taskproject.api.views import LIST_QUERY_NAMES, ListView, shown
from tasks.actions import agents as agent_verbs
from tasks.models import Skill


class SkillOutput(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField()


class SkillInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=60)
    description = PlainText(max_length=300, required=False, default="")


class SkillsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"name": "name"}

    @operation(
        "team",
        "list_skills",
        "Skills",
        responses=SkillOutput(many=True),
    )
    def get(self, request: Request) -> Response:
        return self.show_each(Skill.objects.all(), SkillOutput)

    @operation(
        "team",
        "create_skill",
        "Add a skill",
        "Staff only.",
        request=SkillInput,
        responses={201: SkillOutput},
        request_example={"name": "security"},
    )
    def post(self, request: Request) -> Response:
        skill = agent_verbs.create_skill(actor=self.actor, **self.read(SkillInput))
        return Response(shown(SkillOutput, skill), status=status.HTTP_201_CREATED)
