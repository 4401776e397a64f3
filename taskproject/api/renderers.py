"""JSON in and out."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from taskproject.strict_json import Unreadable, dumps, loads

BODY_LIMIT = 1024 * 1024


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = "The body is larger than 1 MB; send less."
    default_code = "body_too_large"


class JSONRenderer(BaseRenderer):
    """UTF-8 JSON; times in UTC with ``Z``."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None:
            return b""
        return dumps(data)


class JSONParser(BaseParser):
    """JSON of at most 1 MB, as ``strict_json`` reads it; an empty body is an empty object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            raise BodyTooLarge
        if not body.strip():
            return {}
        try:
            return loads(body)
        except Unreadable as error:
            raise ParseError(str(error)) from None
