"""Fields used in several places: any JSON, lists of texts."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskproject.api.serializers import ListOf, PlainText

#: Skills that one task requires, or one agent has.
MOST_SKILLS = 200

AnyJSON = extend_schema_field(OpenApiTypes.ANY)(serializers.JSONField)


def Texts(**kwargs: Any) -> ListOf:  # noqa: N802 - a field, made with its child
    return ListOf(child=PlainText(allow_blank=False, max_length=1000), max_length=200, **kwargs)
