"""The projects that an agent is in, and leaving one of them."""

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View
from tasks.actions.projects import remove_member
from tasks.errors import NotFound
from tasks.finding import find_agent
from tasks.models import Role
from tasks.using.places import memberships_seen, places_of


class AgentProjectOutput(serializers.Serializer):
    project = serializers.CharField(source="project.key")
    role = serializers.ChoiceField(Role.choices)
    paused_at = serializers.DateTimeField(allow_null=True)


class AgentProjectsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"id": "pk"}
    default_ordering = "id"

    @operation(
        "team",
        "list_projects_of_agent",
        "Projects of an agent",
        "Those that you see; for its owner all.",
        responses=AgentProjectOutput(many=True),
        response_example={"project": "OPS", "role": "worker", "paused_at": None},
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.show_each(memberships_seen(find_agent(self.actor, slug), self.actor), AgentProjectOutput)


class AgentProjectView(View):
    @operation(
        "team",
        "leave_project",
        "Take an agent out of a project",
        "For its owner, also of a project that they do not see, and for managers of the project. Its assignments there "
        "end, and an active run is revoked.",
        responses={204: None},
    )
    def delete(self, request: Request, slug: str, key: str) -> Response:
        agent = find_agent(self.actor, slug)
        for place in places_of(agent, self.actor):
            if place.membership.project.key == key.upper():
                remove_member(actor=self.actor, project=place.membership.project, user=agent.user)
                return Response(status=status.HTTP_204_NO_CONTENT)
        raise NotFound(f"{slug} is in no project {key!r} that you see.")
