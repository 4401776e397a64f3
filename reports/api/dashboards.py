"""Dashboards over HTTP: one's own, and those of one's projects."""

from typing import Any, ClassVar

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from reports.dashboards import keeping
from reports.dashboards.keeping import SIZES
from reports.models import Dashboard
from reports.models.saved_report import LONGEST_NAME
from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer, TextOf
from taskproject.api.versions import IF_MATCH, read_if_match
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.events.recording import name_of
from tasks.owning import HasChanged

EXAMPLE: dict[str, Any] = {
    "id": 4,
    "name": "Monday",
    "owner": "ada",
    "project": "OPS",
    "items": [{"report": "completed", "size": "full"}, {"report": 7, "size": "half"}],
    "created_at": "2026-11-20T09:00:00Z",
    "updated_at": "2026-11-22T10:00:00Z",
    "version": 2,
}
ITEMS_HELP = (
    "In order: `report` is the name of a report of `GET /reports` or the id of a saved report, `size` "
    f"{' or '.join(SIZES)}. At most {keeping.MOST_ITEMS}."
)


class DashboardOutput(serializers.Serializer):
    """Reports in an order; it has no figures."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = TextOf(
        lambda dashboard: name_of(dashboard.owner) if dashboard.owner else None,
        allow_null=True,
        help_text="Null: their account was deleted.",
    )
    project = TextOf(
        lambda dashboard: dashboard.project.key if dashboard.project else None,
        allow_null=True,
        help_text="Whose figures it shows to all members; null: its owner alone.",
    )
    items = serializers.JSONField(help_text=ITEMS_HELP)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Counts changes; also the `ETag`.")


NAME: dict[str, Any] = {"allow_blank": False, "max_length": LONGEST_NAME}


class DashboardInput(StrictSerializer):
    name = PlainText(**NAME, help_text="Different from your other dashboards'.")
    project = PlainText(
        allow_blank=False, max_length=12, required=False, allow_null=True, help_text="Key; null: only you."
    )
    items = serializers.JSONField(required=False, help_text=ITEMS_HELP)


class DashboardPatch(StrictSerializer):
    elsewhere: ClassVar[dict[str, str]] = {
        "version": 'Send the version that you read as a header, as in If-Match: "3".'
    }

    name = PlainText(**NAME, required=False)
    items = serializers.JSONField(required=False, help_text=ITEMS_HELP)


def _response(dashboard: Dashboard, code: int = status.HTTP_200_OK) -> Response:
    return Response(shown(DashboardOutput, dashboard), status=code, headers={"ETag": f'"{dashboard.version}"'})


class DashboardsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"id": "pk", "name": "name", "updated_at": "updated_at"}

    @operation(
        "reports",
        "list_dashboards",
        "Dashboards",
        "Yours, and those of your projects.",
        responses=DashboardOutput(many=True),
        response_example=EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        return self.show_each(keeping.dashboards_of(self.actor), DashboardOutput)

    @operation(
        "reports",
        "create_dashboard",
        "Make a dashboard",
        "For yourself, or with `project` for its members; viewers of a project make none. Its figures are those of "
        "its project, else of all projects of its reader.",
        request=DashboardInput,
        responses={201: DashboardOutput},
        request_example={"name": "Monday", "project": "OPS", "items": EXAMPLE["items"]},
        response_example=EXAMPLE | {"version": 1},
    )
    def post(self, request: Request) -> Response:
        made = keeping.make_dashboard(actor=self.actor, **self.read(DashboardInput))
        response = _response(made, status.HTTP_201_CREATED)
        response.headers["Location"] = f"/api/v1/dashboards/{made.pk}"
        return response


class DashboardView(View):
    @operation(
        "reports",
        "get_dashboard",
        "A dashboard",
        "The `ETag` is its version.",
        responses=DashboardOutput,
        response_example=EXAMPLE,
    )
    def get(self, request: Request, id: str) -> Response:
        return _response(keeping.find_dashboard(self.actor, int(id)))

    @operation(
        "reports",
        "edit_dashboard",
        "Change a dashboard",
        "Its owner, and managers of its project. With `If-Match`, only if nobody has changed it since.",
        request=DashboardPatch,
        responses=DashboardOutput,
        request_example={"items": EXAMPLE["items"]},
        response_example=EXAMPLE,
        parameters=[IF_MATCH],
        problems=[412],
    )
    def patch(self, request: Request, id: str) -> Response:
        try:
            changed = keeping.change_dashboard(
                actor=self.actor,
                dashboard=keeping.find_dashboard(self.actor, int(id)),
                changes=self.read(DashboardPatch),
                expected_version=read_if_match(request),
            )
        except HasChanged as mismatch:
            mismatch.data["current"] = shown(DashboardOutput, mismatch.current)
            raise
        return _response(changed)

    @operation(
        "reports",
        "delete_dashboard",
        "Delete a dashboard",
        "Its owner, and managers of its project. Its reports stay.",
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        keeping.delete_dashboard(actor=self.actor, dashboard=keeping.find_dashboard(self.actor, int(id)))
        return Response(status=status.HTTP_204_NO_CONTENT)
