"""Reports by definition: the words that a definition may use, and what one counts."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from reports.api.reports import ColumnOutput, OneForm
from reports.definitions import read
from reports.downloads import file_response
from reports.exports import CONTENT_TYPES, OUTPUTS, as_json_definition
from reports.running import run
from reports.vocabulary.described import described
from taskproject.api.operations import operation
from taskproject.api.views import View
from taskproject.errors import Invalid, unknown_choice
from tasks import clock
from tasks.zones import zone_of

EXAMPLE = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"name": "cycle", "aggregate": "p85"}, {"aggregate": "count"}],
    "by": ["agent"],
    "time": {"on": "completed", "bucket": "week"},
    "period": {"last": 12, "unit": "week"},
    "where": {"all": [{"field": "label", "in": ["bug"]}]},
    "compare": "previous",
    "order": ["-count"],
}


class DefinitionInput(serializers.Serializer):
    """What a definition holds; ``reports.definitions.read`` checks it."""

    version = serializers.ChoiceField(choices=[1])
    facts = serializers.CharField(help_text="One of the vocabulary's facts.")
    measures = serializers.ListField(
        child=serializers.DictField(), help_text="1 to 5 of `name` and `aggregate`; without a name, `count`."
    )
    by = serializers.ListField(child=serializers.CharField(), required=False, help_text="At most 3 dimensions.")
    time = serializers.DictField(required=False, help_text="`on`: a moment; `bucket`: minute … year, or auto.")
    period = serializers.DictField(
        required=False, help_text="`last` and `unit`, or `from` and `to`. Default: the last 12 weeks."
    )
    tz = serializers.CharField(required=False, help_text="A time zone, or `reader`, the default.")
    where = serializers.DictField(required=False, help_text="A condition, as in the list of tasks.")
    compare = serializers.ChoiceField(choices=["previous"], required=False)
    order = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Columns; with a - before, from the most."
    )
    limit = serializers.IntegerField(required=False, help_text="Rows at most.")
    show = serializers.DictField(required=False, help_text="`chart`: how a page draws it.")


class CountedPeriodOutput(serializers.Serializer):
    to = serializers.DateTimeField(help_text="Not included.")
    bucket = serializers.CharField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        # ``from`` is a Python keyword, so the class body cannot use it.
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class CountedOutput(serializers.Serializer):
    columns = ColumnOutput(many=True)
    rows = serializers.ListField(child=serializers.DictField(), help_text="One value per column, by name.")
    total = serializers.DictField(help_text="The same over all facts, each counted once.")
    n = serializers.IntegerField(help_text="How many facts the total counts.")
    project = serializers.CharField(allow_null=True, help_text="The requested key; null: all projects of the caller.")
    period = CountedPeriodOutput()
    tz = serializers.CharField(help_text="The time zone by whose clocks the buckets are cut.")
    notes = serializers.ListField(child=serializers.CharField(), help_text="What the figures leave out.")
    words = serializers.DictField(help_text="By column, what people read for its values: `value` and `label`.")
    definition = serializers.DictField(help_text="The definition as it was read.")
    generated_at = serializers.DateTimeField()


class VocabularyOutput(serializers.Serializer):
    facts = serializers.ListField(
        child=serializers.DictField(), help_text="Each with its moments, measures, dimensions and conditions."
    )
    aggregates = serializers.ListField(child=serializers.DictField(), help_text="With how many facts each needs.")
    buckets = serializers.ListField(child=serializers.CharField())
    charts = serializers.ListField(child=serializers.CharField())
    limits = serializers.DictField()


class RunView(View):
    query_names = ("project", "output")
    content_negotiation_class = OneForm
    changes_nothing = True

    @operation(
        "reports",
        "reports_run",
        "Run a definition",
        "Counts what a definition says, of the caller's projects alone. `GET /reports/vocabulary` has the words. A "
        "mistake is refused with one sentence, keyed by its place, such as `measures[1].aggregate`. At most 10,000 "
        "cells. Durations are in seconds.",
        request=DefinitionInput,
        parameters=[
            OpenApiParameter("project", str, description="Key of a project. Default: all of the caller together."),
            OpenApiParameter("output", str, enum=list(OUTPUTS), default="json", description="Format of the answer."),
        ],
        responses={
            (200, "application/json"): CountedOutput,
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="With `output=csv`."),
            (200, CONTENT_TYPES["xlsx"]): OpenApiResponse(OpenApiTypes.BINARY, description="With `output=xlsx`."),
        },
        request_example=EXAMPLE,
        problems=[400, 404],
    )
    def post(self, request: Request) -> Response | HttpResponse:
        output = request.query_params.get("output") or "json"
        if output not in OUTPUTS:
            raise Invalid({"output": unknown_choice(output, OUTPUTS, what="output")})
        project = request.query_params.get("project") or None
        document: Any = request.data
        answer = run(read(document), user=self.actor, now=clock.now(), project=project, zone=zone_of(request))
        return Response(as_json_definition(answer)) if output == "json" else file_response(answer, output)


class VocabularyView(View):
    @operation(
        "reports",
        "reports_vocabulary",
        "List what reports can count",
        "The words of definitions: facts with their moments, measures, dimensions and conditions.",
        responses={200: VocabularyOutput},
    )
    def get(self, request: Request) -> Response:
        return Response(described())
