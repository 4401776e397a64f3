"""``If-Match``: a change that is made only to the version that its caller has read."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The `ETag` that you read.")


def read_if_match(request: Request) -> int | None:
    """The version in ``If-Match``; None if it is absent or ``*``; -1 if it can match nothing."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    version = header.removeprefix("W/").strip('"')
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else -1
