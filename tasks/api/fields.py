"""Fields that several concerns use: any JSON, lists of texts, a length of lease."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskproject.api.serializers import Integer, PlainText
from tasks.verbs.catalogue import LEASE_SECONDS_MAX, LEASE_SECONDS_MIN

JSON_DEPTH = 50

AnyJSON = extend_schema_field(OpenApiTypes.ANY)(serializers.JSONField)


def _check_json(value: Any, depth: int = 0) -> None:
    """Refuse what a database or an encoder cannot keep: NUL in texts, and values nested beyond reason."""
    if depth > JSON_DEPTH:
        raise serializers.ValidationError(f"Is nested more than {JSON_DEPTH} levels deep.")
    if isinstance(value, str) and "\0" in value:
        raise serializers.ValidationError("Null characters are not allowed.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_json(key, depth)
            _check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)


@extend_schema_field(OpenApiTypes.ANY)
class AnyValue(serializers.Field):
    """Any JSON value, as it was sent."""

    def to_internal_value(self, data: Any) -> Any:
        _check_json(data)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class JSONObject(serializers.DictField):
    """A JSON object with any content."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"child": AnyValue(allow_null=True), **kwargs})


def Texts(**kwargs: Any) -> serializers.ListField:  # noqa: N802 - a field, made with its child
    return serializers.ListField(child=PlainText(allow_blank=False, max_length=1000), max_length=200, **kwargs)


def LeaseSeconds() -> Integer:  # noqa: N802
    return Integer(min_value=LEASE_SECONDS_MIN, max_value=LEASE_SECONDS_MAX, required=False)
