"""Filters of the task list: conditions over the fields of a task, as parameters."""

from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from taskproject.api.views import LIST_QUERY_NAMES
from taskproject.zones import server_zone
from tasks.conditions import All, Context, Kind, compile
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
    """Keeps the tasks to which everything in the address applies: one condition, from all its parameters."""

    base_filters: ClassVar[dict[str, Any]]

    class Meta:
        model = Task
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        # Creating only the filters used: creating all of them takes longer than finding the rows.
        used = {name: field for name, field in type(self).base_filters.items() if name in (data or {})}
        self.base_filters = used  # type: ignore[misc]  # shadows the class's own for this request
        super().__init__(data, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        """Raises ``Invalid`` for an unknown parameter: an ignored filter shows the wrong tasks."""
        condition = read_query(self.data, TASK_FIELDS, TASK_PARAMETERS, others=(*LIST_QUERY_NAMES, TZ))
        zone = read_zone(self.data, server_zone())
        if condition == All():
            return queryset
        return queryset.filter(compile(condition, TASK_FIELDS, Context(self.request.user, zone)))


TaskFilter.base_filters = {
    **{name: _filter_of(parameter) for name, parameter in TASK_PARAMETERS.items()},
    WHERE: WordFilter(
        help_text="Any combination, as JSON, such as "
        '`{"any": [{"field": "priority", "at_least": "high"}, {"field": "overdue", "is": true}]}`; '
        "see `docs/conditions.md`."
    ),
    TZ: WordFilter(help_text="The zone whose days are meant, as Europe/Berlin; the server's by default."),
}
