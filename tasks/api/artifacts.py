"""Artifacts: sent by the holder of a run, listed and downloaded by members. Nothing of them is ever shown inline."""

from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View
from tasks.actions.uploads import add_artifact
from tasks.api.inputs import description_of, summary_of
from tasks.api.runs import BRIEF_EXAMPLE, RunBriefOutput, run_brief
from tasks.errors import Invalid
from tasks.finding import find_artifact, find_task
from tasks.models import Artifact, ArtifactKind
from tasks.replies import count_unread
from tasks.verbs import catalogue
from tasks.verbs.fields import Field

ARTIFACT_EXAMPLE = {
    "id": 7,
    "run_number": 2,
    "name": "report.md",
    "kind": "text",
    "media_type": "text/plain",
    "size": 1834,
    "lines": 41,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "url": "",
    "is_late": False,
    "created_at": "2026-11-22T10:10:00Z",
}
#: Types that a browser, once it has saved the file, opens as what they say; everything else is bytes.
HARMLESS = frozenset(
    {
        "application/json", "application/pdf", "application/zip", "image/gif", "image/jpeg", "image/png", "image/webp",
        "text/csv", "text/plain", "text/uri-list", "text/x-diff",
    }
)  # fmt: skip
#: Even if a browser were made to show a download, nothing in it runs, loads or reaches this site.
SANDBOX = "default-src 'none'; sandbox"


class ArtifactOutput(serializers.Serializer):
    """An artifact without its content. Its name and address are untrusted."""

    id = serializers.IntegerField()
    run_number = serializers.IntegerField(source="run.number", help_text="The number of the run that made it.")
    name = serializers.CharField()
    kind = serializers.ChoiceField(ArtifactKind.choices)
    media_type = serializers.CharField()
    size = serializers.IntegerField(help_text="In bytes.")
    lines = serializers.IntegerField(help_text="Of a text or diff; 0 for others.")
    sha256 = serializers.CharField(help_text="Of its content, in hex.")
    url = serializers.CharField(help_text="Where a link leads; empty for others.")
    is_late = serializers.BooleanField(help_text="It came after the lease was lost, and was not adopted.")
    created_at = serializers.DateTimeField()


class AddedArtifactOutput(serializers.Serializer):
    artifact = ArtifactOutput()
    run = RunBriefOutput()


class TaskArtifactsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"id": "pk"}

    @operation("tasks", "list_task_artifacts", "Artifacts of a task", responses=ArtifactOutput(many=True))
    def get(self, request: Request, ref: str) -> Response:
        artifacts = Artifact.objects.of_task(find_task(self.actor, ref)).listed().select_related("run")
        return self.show_each(artifacts, ArtifactOutput)


class ArtifactView(View):
    @operation(
        "tasks",
        "download_artifact",
        "Download an artifact",
        "Its content, always as an attachment: what an agent made is never shown as a page of this site. Of a link, its"
        " address.",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, id: str) -> HttpResponse:
        artifact = find_artifact(self.actor, int(id))
        media_type = artifact.media_type if artifact.media_type in HARMLESS else "application/octet-stream"
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        response = HttpResponse(artifact.data, content_type=media_type)
        filename = artifact.name.replace("\\", "/").rpartition("/")[2] or "artifact"
        response.headers["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
        response.headers["Content-Security-Policy"] = SANDBOX
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "private, no-cache"
        return response


class RawParser(BaseParser):
    """The body as it came; the server has read it, and refused one of more than 1 MB."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return bytes(stream.read())


def _in_query(field: Field) -> OpenApiParameter:
    return OpenApiParameter(
        field.name, field.type_schema(), OpenApiParameter.QUERY, required=field.required, description=field.help
    )


_NAMED = tuple(field for field in catalogue.ADD_ARTIFACT.fields if field.name != "content")


class AddArtifactView(View):
    query_names = tuple(field.name for field in _NAMED)
    parser_classes = [RawParser]

    @operation(
        catalogue.ADD_ARTIFACT.tag,
        catalogue.ADD_ARTIFACT.key,
        summary_of(catalogue.ADD_ARTIFACT, "a run"),
        description_of(catalogue.ADD_ARTIFACT),
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: AddedArtifactOutput, 200: AddedArtifactOutput},
        parameters=[_in_query(field) for field in _NAMED],
        response_example={"artifact": ARTIFACT_EXAMPLE, "run": BRIEF_EXAMPLE},
    )
    def post(self, request: Request, id: Any) -> Response:
        media_type = request.content_type or ""
        if media_type.startswith("multipart/"):
            raise Invalid({"content": "Send the content itself as the body, as curl does with --data-binary."})
        given = {field.name: request.query_params.get(field.name) for field in _NAMED}
        if given["media_type"] is None and not media_type.startswith("application/x-www-form-urlencoded"):
            given["media_type"] = media_type[:100]
        content = request.data if isinstance(request.data, bytes) else b""
        values = {name: value for name, value in given.items() if value is not None}
        if "name" not in values:
            values["name"] = ""
        artifact, is_new = add_artifact(actor=self.actor, run_id=id, content=content, **values)
        shown = ArtifactOutput(artifact).data
        body = {"artifact": shown, "run": run_brief(artifact.run, holder=self.actor, unread=count_unread(self.actor))}
        return Response(body, status=201 if is_new else 200)
