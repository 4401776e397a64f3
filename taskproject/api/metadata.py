"""What OPTIONS answers."""

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import BaseMetadata

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class AllowedMethods(BaseMetadata):
    """The methods of a path; fields and their rules are in the OpenAPI description."""

    def determine_metadata(self, request: "Request", view: "APIView") -> dict[str, Any]:
        return {"methods": view.allowed_methods}
