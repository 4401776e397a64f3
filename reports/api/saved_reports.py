"""Saved reports over HTTP: one's own, and those that are shared with one's projects."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from reports import saving
from reports.api.reports import PARAMETERS, OneForm, ReportOutput
from reports.downloads import file_response
from reports.exports import CONTENT_TYPES, OUTPUTS, as_json
from reports.models import SavedReport
from reports.models.saved_report import LONGEST_DESCRIPTION, LONGEST_NAME
from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer, TextOf
from taskproject.api.versions import IF_MATCH, read_if_match
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from taskproject.errors import Invalid, unknown_choice
from tasks.events.recording import name_of
from tasks.finding import find_project
from tasks.owning import HasChanged
from tasks.zones import zone_of

DEFINITION: dict[str, Any] = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"name": "cycle", "aggregate": "p85"}],
    "by": ["agent"],
    "time": {"on": "completed", "bucket": "week"},
    "period": {"last": 12, "unit": "week"},
    "where": {"all": [{"field": "label", "in": ["bug"]}]},
    "compare": "previous",
}
EXAMPLE: dict[str, Any] = {
    "id": 7,
    "name": "Cycle time of bugs",
    "description": "",
    "owner": "ada",
    "project": "OPS",
    "definition": DEFINITION,
    "created_at": "2026-11-20T09:00:00Z",
    "updated_at": "2026-11-22T10:00:00Z",
    "version": 2,
}


class SavedReportOutput(serializers.Serializer):
    """A definition that somebody keeps under a name; it has no figures."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    owner = TextOf(
        lambda report: name_of(report.owner) if report.owner else None,
        allow_null=True,
        help_text="Null: their account was deleted.",
    )
    project = TextOf(
        lambda report: report.project.key if report.project else None,
        allow_null=True,
        help_text="Whose members may read it; null: its owner alone.",
    )
    definition = serializers.JSONField(help_text="As in `POST /reports/run`.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Counts changes; also the `ETag`.")


RUN_NAMES = ("project", "tz", "output")
RUN_PARAMETERS = [parameter for parameter in PARAMETERS if parameter.name in RUN_NAMES]
NAME: dict[str, Any] = {"allow_blank": False, "max_length": LONGEST_NAME}


class SavedReportFields(StrictSerializer):
    description = PlainText(max_length=LONGEST_DESCRIPTION, required=False)
    project = PlainText(
        allow_blank=False,
        max_length=12,
        required=False,
        allow_null=True,
        help_text="Key of the project whose members may read it; null: only you.",
    )


class SavedReportInput(SavedReportFields):
    name = PlainText(**NAME, help_text="Different from your other reports'.")
    definition = serializers.JSONField(help_text="As in `POST /reports/run`.")


class SavedReportPatch(SavedReportFields):
    elsewhere: ClassVar[dict[str, str]] = {
        "version": 'Send the version that you read as a header, as in If-Match: "3".'
    }

    name = PlainText(**NAME, required=False)
    definition = serializers.JSONField(required=False)


def _response(report: SavedReport, code: int = status.HTTP_200_OK) -> Response:
    return Response(shown(SavedReportOutput, report), status=code, headers={"ETag": f'"{report.version}"'})


class SavedReportsView(ListView):
    query_names = (*LIST_QUERY_NAMES, "project", "owner", "q")
    orderings = {"id": "pk", "name": "name", "updated_at": "updated_at"}

    @operation(
        "reports",
        "list_saved_reports",
        "Saved reports",
        "Yours, and those that are shared with your projects.",
        parameters=[
            OpenApiParameter("project", OpenApiTypes.STR, description="Key: only those shared with this project."),
            OpenApiParameter("owner", OpenApiTypes.STR, enum=["me"], description="Only your own."),
            OpenApiParameter("q", OpenApiTypes.STR, description="Words of the name or description."),
        ],
        responses=SavedReportOutput(many=True),
        response_example=EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        rows = saving.reports_of(self.actor)
        if key := request.query_params.get("project"):
            rows = rows.filter(project=find_project(self.actor, key))
        if owner := request.query_params.get("owner"):
            if owner != "me":
                raise Invalid({"owner": "Known: me."})
            rows = rows.filter(owner=self.actor)
        if words := request.query_params.get("q"):
            rows = rows.with_words(words)
        return self.show_each(rows, SavedReportOutput)

    @operation(
        "reports",
        "create_saved_report",
        "Save a report",
        "For yourself, or with `project` for its members; viewers of a project share nothing with it. Whoever reads "
        "it gets the figures of the projects that they may see.",
        request=SavedReportInput,
        responses={201: SavedReportOutput},
        request_example={"name": EXAMPLE["name"], "project": "OPS", "definition": DEFINITION},
        response_example=EXAMPLE | {"version": 1},
    )
    def post(self, request: Request) -> Response:
        response = _response(
            saving.save_report(actor=self.actor, **self.read(SavedReportInput)), status.HTTP_201_CREATED
        )
        response.headers["Location"] = f"/api/v1/saved_reports/{response.data['id']}"
        return response


class SavedReportRunView(View):
    query_names = RUN_NAMES
    content_negotiation_class = OneForm

    @operation(
        "reports",
        "run_saved_report",
        "The figures of a saved report",
        "Of the caller's projects, whoever owns the report. Where words of its definition have ceased to exist, 400 "
        "says which.",
        parameters=RUN_PARAMETERS,
        responses={
            (200, "application/json"): ReportOutput,
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="With `output=csv`."),
            (200, CONTENT_TYPES["xlsx"]): OpenApiResponse(OpenApiTypes.BINARY, description="With `output=xlsx`."),
        },
    )
    def get(self, request: Request, id: str) -> Response | HttpResponse:
        report = saving.find_saved_report(self.actor, int(id))
        query = request.query_params
        output = query.get("output") or "json"
        if output not in OUTPUTS:
            raise Invalid({"output": unknown_choice(output, OUTPUTS, what="output")})
        given = saving.run_saved_report(
            user=self.actor,
            report=report,
            zone=zone_of(request),
            project=query.get("project") or None,
            tz=query.get("tz") or None,
        )
        return Response(as_json(given)) if output == "json" else file_response(given, output)


class SavedReportView(View):
    @operation(
        "reports",
        "get_saved_report",
        "A saved report",
        "The `ETag` is its version. `/saved_reports/{id}/run` has its figures.",
        responses=SavedReportOutput,
        response_example=EXAMPLE,
    )
    def get(self, request: Request, id: str) -> Response:
        return _response(saving.find_saved_report(self.actor, int(id)))

    @operation(
        "reports",
        "edit_saved_report",
        "Change a saved report",
        "Its owner, and managers of the project that it is shared with; `project` is its owner's to choose, and null "
        "takes it back. With `If-Match`, only if nobody has changed it since.",
        request=SavedReportPatch,
        responses=SavedReportOutput,
        request_example={"name": "Cycle time of all bugs"},
        response_example=EXAMPLE,
        parameters=[IF_MATCH],
        problems=[412],
    )
    def patch(self, request: Request, id: str) -> Response:
        report = saving.find_saved_report(self.actor, int(id))
        try:
            changed = saving.edit_report(
                actor=self.actor,
                report=report,
                changes=self.read(SavedReportPatch),
                expected_version=read_if_match(request),
            )
        except HasChanged as mismatch:
            mismatch.data["current"] = shown(SavedReportOutput, mismatch.current)
            raise
        return _response(changed)

    @operation(
        "reports",
        "delete_saved_report",
        "Delete a saved report",
        "Its owner, and managers of the project that it is shared with.",
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        saving.delete_report(actor=self.actor, report=saving.find_saved_report(self.actor, int(id)))
        return Response(status=status.HTTP_204_NO_CONTENT)
