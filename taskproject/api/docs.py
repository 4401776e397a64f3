"""The API's documentation page: how to start, the table of error codes, every operation to try out."""

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.problems import all_codes


class SchemaView(SpectacularJSONAPIView):
    """The OpenAPI description."""


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files, under the same strict policy as every page: nothing inline, nothing external."""

    template_name = "api/docs.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().get(request, *args, **kwargs)
        if isinstance(response.data, dict):
            response.data["codes"] = sorted(all_codes().items(), key=lambda item: (item[1][0], item[0]))
            response.data["base_url"] = request.build_absolute_uri("/api/v1")
        return response
