"""The predefined reports: the list, and one report for a project and a period.

The values come from ``reports.exports.as_json``; the shapes here are for the schema.
"""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from reports.downloads import file_response
from reports.exports import CONTENT_TYPES, OUTPUTS, as_json, as_json_head
from reports.parameters import BUCKETS, NAMES, read_question
from reports.predefined import REPORTS
from reports.running import answer
from taskproject.api.operations import operation
from taskproject.api.views import View
from taskproject.errors import NotFound, unknown_name
from tasks import clock
from tasks.zones import zone_of

PARAMETERS = [
    OpenApiParameter("project", str, description="Key of a project. Default: all projects of the caller together."),
    OpenApiParameter(
        "from",
        str,
        description="Start of the period: a date (its midnight in `tz`) or an ISO 8601 time. "
        "Default: 30 days, 12 weeks or 12 months before `to`, by `bucket`.",
        examples=[OpenApiExample("a date", value="2026-01-01")],
    ),
    OpenApiParameter(
        "to",
        str,
        description="End of the period, not included. Default: the end of today.",
        examples=[OpenApiExample("a date", value="2026-02-01")],
    ),
    OpenApiParameter("bucket", str, enum=list(BUCKETS), default="week", description="The time span of a row."),
    OpenApiParameter(
        "tz",
        str,
        description="Time zone whose midnights separate the buckets. Default, and `reader`: the one in which you "
        "read, see `GET /notifications/preferences`.",
        examples=[OpenApiExample("a zone", value="Europe/Berlin")],
    ),
    OpenApiParameter("output", str, enum=list(OUTPUTS), default="json", description="Format of the answer."),
]

EXAMPLE_COLUMN = {
    "name": "completed",
    "label": "Completed",
    "unit": "tasks",
    "role": "measure",
    "n": None,
    "needs": 1,
}
EXAMPLE = OpenApiExample(
    "completed, by week",
    response_only=True,
    media_type="application/json",
    value={
        "slug": "completed",
        "title": "Completed tasks",
        "description": "How many tasks were completed, by the time of completion. …",
        "project": "OPS",
        "from": "2025-12-31T23:00:00Z",
        "to": "2026-01-11T23:00:00Z",
        "bucket": "week",
        "tz": "Europe/Berlin",
        "generated_at": "2026-11-22T10:00:00Z",
        "formula": "",
        "source": "",
        "columns": [EXAMPLE_COLUMN],
        "rows": [
            {
                "bucket": "2025-12-29",
                "starts_at": "2025-12-31T23:00:00Z",
                "ends_at": "2026-01-04T23:00:00Z",
                "is_partial": True,
                "completed": 3,
                "imported": 0,
            }
        ],
        "total": {"bucket": None, "completed": 3, "imported": 0},
        "n": 3,
        "figures": [],
        "notes": [],
    },
)


class NamedOutput(serializers.Serializer):
    name = serializers.CharField(help_text="The key in rows and total.")
    label = serializers.CharField()  # type: ignore[assignment]
    unit = serializers.CharField(help_text="What is counted (tasks, runs, …), seconds, percent, money, date, time, …")


class ColumnOutput(NamedOutput):
    role = serializers.ChoiceField(
        choices=["time", "dimension", "measure", "n"],
        help_text="`time` and `dimension` name a row, `measure` measures it, `n` counts what a measure is based on.",
    )
    n = serializers.CharField(allow_null=True, help_text="The column that counts what the measure is based on.")
    needs = serializers.IntegerField(help_text="Based on fewer, the figure says little.")


class FigureOutput(NamedOutput):
    value = serializers.FloatField(allow_null=True)


class ReportHeadOutput(serializers.Serializer):
    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    formula = serializers.CharField(help_text="How the figures are computed, in one line.")
    source = serializers.CharField(help_text="From which facts.")  # type: ignore[assignment]
    columns = ColumnOutput(many=True)


class ReportListOutput(serializers.Serializer):
    results = ReportHeadOutput(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ReportOutput(ReportHeadOutput):
    project = serializers.CharField(allow_null=True, help_text="The requested key; null: all projects of the caller.")
    to = serializers.DateTimeField(help_text="End of the period, not included.")
    bucket = serializers.CharField()
    tz = serializers.CharField(help_text="The time zone whose midnights separate the buckets.")
    generated_at = serializers.DateTimeField()
    rows = serializers.ListField(child=serializers.DictField(), help_text="One value per column, by name.")
    total = serializers.DictField(help_text="The same over all rows; percentiles over all tasks, not over the rows.")
    n = serializers.IntegerField(help_text="How many facts the total counts.")
    figures = FigureOutput(many=True)
    notes = serializers.ListField(child=serializers.CharField(), help_text="What the figures leave out.")

    def get_fields(self) -> dict[str, serializers.Field]:
        # ``from`` is a Python keyword, so the class body cannot use it.
        return {**super().get_fields(), "from": serializers.DateTimeField(help_text="Start of the period.")}


class OneForm(BaseContentNegotiation):
    """The format is chosen by ``output``, so ``Accept: text/csv`` is not refused."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ReportsView(View):
    @operation(
        "reports",
        "reports_list",
        "List the predefined reports",
        "The reports that anyone may request.",
        responses={200: ReportListOutput},
        examples=[
            OpenApiExample(
                "reports",
                response_only=True,
                value={
                    "results": [
                        {
                            "slug": "completed",
                            "title": "Completed tasks",
                            "description": "How many tasks were completed, by the time of completion. …",
                            "formula": "",
                            "source": "",
                            "columns": [EXAMPLE_COLUMN],
                        }
                    ],
                    "next": None,
                    "previous": None,
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        return Response(
            {"results": [as_json_head(report) for report in REPORTS.values()], "next": None, "previous": None}
        )


class ReportView(View):
    query_names = NAMES
    content_negotiation_class = OneForm

    @operation(
        "reports",
        "reports_retrieve",
        "Get a report",
        "Slugs: " + ", ".join(f"`{slug}`" for slug in REPORTS) + ". Durations are in seconds.",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH, enum=list(REPORTS)), *PARAMETERS],
        responses={
            (200, "application/json"): ReportOutput,
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="With `output=csv`."),
            (200, CONTENT_TYPES["xlsx"]): OpenApiResponse(OpenApiTypes.BINARY, description="With `output=xlsx`."),
        },
        examples=[EXAMPLE],
    )
    def get(self, request: Request, slug: str) -> Response | HttpResponse:
        if slug not in REPORTS:
            raise NotFound(unknown_name(slug[:60], REPORTS, what="report"))
        now = clock.now()
        question = read_question(request.query_params, user=self.actor, now=now, zone=zone_of(request))
        given = answer(REPORTS[slug], question.scope, question.period, now=now)
        if question.output != "json":
            return file_response(given, question.output)
        return Response(as_json(given))
