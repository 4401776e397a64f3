"""Saved views over HTTP: one's own, and those that are shared with one's projects."""

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer, TextOf
from taskproject.api.versions import IF_MATCH, read_if_match
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.actions.saved_views import delete_view, edit_view, find_view, save_view, views_of
from tasks.events.recording import name_of
from tasks.finding import find_project
from tasks.models import SavedView, ViewPlace
from tasks.models.owned import LONGEST_NAME
from tasks.models.saved_view import LONGEST_QUERY
from tasks.owning import HasChanged

EXAMPLE: dict[str, Any] = {
    "id": 7,
    "name": "Urgent and late",
    "place": "list",
    "query": "overdue=true&priority=urgent",
    "owner": "ada",
    "project": "OPS",
    "position": 0,
    "created_at": "2026-11-20T09:00:00Z",
    "updated_at": "2026-11-22T10:00:00Z",
    "version": 2,
}
_QUERY = "As after the `?` of the address of the list or the board; the filters are those of `GET /tasks`."


class SavedViewOutput(serializers.Serializer):
    """The query of an address that somebody keeps under a name; it has no tasks."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    place = serializers.ChoiceField(ViewPlace.choices, help_text="Where it opens.")
    query = serializers.CharField(help_text=_QUERY)
    owner = TextOf(
        lambda view: name_of(view.owner) if view.owner else None,
        allow_null=True,
        help_text="Null: their account was deleted.",
    )
    project = TextOf(
        lambda view: view.project.key if view.project else None,
        allow_null=True,
        help_text="Whose members may read it; null: its owner alone.",
    )
    position = serializers.IntegerField(help_text="Its place among its owner's own, or its project's.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Counts changes; also the `ETag`.")


class SavedViewFields(StrictSerializer):
    project = PlainText(
        allow_blank=False,
        max_length=12,
        required=False,
        allow_null=True,
        help_text="Key of the project whose members may read it; null: only you.",
    )


class SavedViewInput(SavedViewFields):
    name = PlainText(allow_blank=False, max_length=LONGEST_NAME, help_text="Different from your other views'.")
    place = serializers.ChoiceField(ViewPlace.choices)
    query = PlainText(max_length=LONGEST_QUERY, help_text=_QUERY)


class SavedViewPatch(SavedViewFields):
    elsewhere: ClassVar[dict[str, str]] = {
        "version": 'Send the version that you read as a header, as in If-Match: "3".'
    }

    name = PlainText(allow_blank=False, max_length=LONGEST_NAME, required=False)
    query = PlainText(max_length=LONGEST_QUERY, required=False, help_text=_QUERY)
    position = serializers.IntegerField(
        min_value=0,
        max_value=100_000,
        required=False,
        help_text="Its place among those beside it, from 0; managers put those of a project in order.",
    )


def _response(view: SavedView, code: int = status.HTTP_200_OK) -> Response:
    return Response(shown(SavedViewOutput, view), status=code, headers={"ETag": f'"{view.version}"'})


class SavedViewsView(ListView):
    query_names = (*LIST_QUERY_NAMES, "project")
    orderings = {"id": "pk", "name": "name", "updated_at": "updated_at"}

    @operation(
        "views",
        "list_saved_views",
        "Saved views",
        "Yours, and those that are shared with your projects.",
        parameters=[
            OpenApiParameter("project", OpenApiTypes.STR, description="Key: only those shared with this project.")
        ],
        responses=SavedViewOutput(many=True),
        response_example=EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        rows = views_of(self.actor)
        if key := request.query_params.get("project"):
            rows = rows.filter(project=find_project(self.actor, key))
        return self.show_each(rows, SavedViewOutput)

    @operation(
        "views",
        "create_saved_view",
        "Save a view",
        "For yourself, or with `project` for its members; viewers of a project share nothing with it. Whoever opens it "
        "sees the tasks of their own projects.",
        request=SavedViewInput,
        responses={201: SavedViewOutput},
        request_example={"name": EXAMPLE["name"], "place": "list", "query": EXAMPLE["query"], "project": "OPS"},
        response_example=EXAMPLE | {"version": 1},
    )
    def post(self, request: Request) -> Response:
        response = _response(save_view(actor=self.actor, **self.read(SavedViewInput)), status.HTTP_201_CREATED)
        response.headers["Location"] = f"/api/v1/saved_views/{response.data['id']}"
        return response


class SavedViewView(View):
    @operation(
        "views",
        "get_saved_view",
        "A saved view",
        "The `ETag` is its version. `GET /tasks` takes the filters of its query.",
        responses=SavedViewOutput,
        response_example=EXAMPLE,
    )
    def get(self, request: Request, id: str) -> Response:
        return _response(find_view(self.actor, int(id)))

    @operation(
        "views",
        "edit_saved_view",
        "Change a saved view",
        "Its owner, and managers of the project that it is shared with; `project` is its owner's to choose, and null "
        "takes it back. With `If-Match`, only if nobody has changed it since.",
        request=SavedViewPatch,
        responses=SavedViewOutput,
        request_example={"query": "overdue=true"},
        response_example=EXAMPLE,
        parameters=[IF_MATCH],
        problems=[412],
    )
    def patch(self, request: Request, id: str) -> Response:
        view = find_view(self.actor, int(id))
        try:
            changed = edit_view(
                actor=self.actor,
                view=view,
                changes=self.read(SavedViewPatch),
                expected_version=read_if_match(request),
            )
        except HasChanged as mismatch:
            mismatch.data["current"] = shown(SavedViewOutput, mismatch.current)
            raise
        return _response(changed)

    @operation(
        "views",
        "delete_saved_view",
        "Delete a saved view",
        "Its owner, and managers of the project that it is shared with.",
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        delete_view(actor=self.actor, view=find_view(self.actor, int(id)))
        return Response(status=status.HTTP_204_NO_CONTENT)
