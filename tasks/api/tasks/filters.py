"""Filters of the task list: conditions over the fields of a task, as parameters."""

from typing import Any, ClassVar

import django_filters
from django import forms
from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from taskproject.api.views import LIST_QUERY_NAMES
from taskproject.zones import server_zone
from tasks.conditions import Context, Kind
from tasks.conditions.listing import Listing
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, WHERE, Parameter, read_query, read_zone
from tasks.models import Task


@extend_schema_field(OpenApiTypes.STR)
class WordFilter(django_filters.Filter):
    """A parameter as it was written: what it means is for the conditions to say."""

    field_class = forms.Field


@extend_schema_field(OpenApiTypes.BOOL)
class FlagFilter(WordFilter):
    pass


def _filter_of(parameter: Parameter) -> WordFilter:
    field = parameter.field
    description = field.help
    if field.kind is Kind.FLAG:
        return FlagFilter(help_text=description)
    if field.kind is Kind.CHOICE:
        words = ", ".join(f"`{word}`" for word in field.words)
        description = f"Any of {words}; several by commas."
    elif parameter.may_be_none:
        description = f"{description.removesuffix('.')}, or `none`."
    return WordFilter(help_text=description)


class TaskFilter(django_filters.FilterSet):
    """The filters as they are documented; ``listing_of`` applies them."""

    base_filters: ClassVar[dict[str, Any]]

    class Meta:
        model = Task
        fields: list[str] = []


TaskFilter.base_filters = {
    **{name: _filter_of(parameter) for name, parameter in TASK_PARAMETERS.items()},
    WHERE: WordFilter(
        help_text="Any combination, as JSON, such as "
        '`{"any": [{"field": "priority", "at_least": "high"}, {"field": "overdue", "is": true}]}`; '
        "see `docs/conditions.md`."
    ),
    TZ: WordFilter(help_text="The zone whose days are meant, as Europe/Berlin; the server's by default."),
}


def listing_of(user: Any, query: QueryDict) -> Listing:
    """The tasks to which everything in the address applies: one condition, from all its parameters.

    Raises ``Invalid`` for an unknown parameter: an ignored filter shows the wrong tasks.
    """
    condition = read_query(query, TASK_FIELDS, TASK_PARAMETERS, others=(*LIST_QUERY_NAMES, TZ))
    return Listing(condition, Context(user, read_zone(query, server_zone())))
