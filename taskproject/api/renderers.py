"""JSON in and out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import orjson
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

BODY_LIMIT = 1024 * 1024


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = "The body is larger than 1 MB; send less."
    default_code = "body_too_large"


def _plain(value: Any) -> Any:
    """Values that JSON does not have: decimals become numbers, lazy texts become texts."""
    return float(value) if isinstance(value, Decimal) else str(value)


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
        return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


class JSONParser(BaseParser):
    """Strict JSON of at most 1 MB; an empty body is an empty object, so that verbs without input need none."""

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
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from None
