"""Filters of the task list: conditions over the fields of a task, as parameters."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from taskproject.api.views import LIST_QUERY_NAMES
from taskproject.zones import server_zone
from tasks.conditions import All, Context, Kind, compile
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, WHERE, Parameter, read_query, read_zone

#: The names of the parameters.
FILTERS = (*TASK_PARAMETERS, WHERE, TZ)


class ConditionFilter(BaseFilterBackend):
    """Keeps the tasks to which everything in the address applies. Unknown parameters are refused: an ignored filter
    shows the wrong tasks.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        query = request.query_params
        condition = read_query(query, TASK_FIELDS, TASK_PARAMETERS, others=(*LIST_QUERY_NAMES, TZ))
        zone = read_zone(query, server_zone())
        if condition == All():
            return queryset
        return queryset.filter(compile(condition, TASK_FIELDS, Context(request.user, zone)))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        described = [_described(parameter) for parameter in TASK_PARAMETERS.values()]
        where = "Any combination, as JSON; see `docs/conditions.md`."
        example = '{"any": [{"field": "priority", "at_least": "high"}, {"field": "overdue", "is": true}]}'
        return [
            *described,
            _parameter(WHERE, where, {"type": "string"}) | {"example": example},
            _parameter(
                TZ, "The zone whose days are meant, as Europe/Berlin; the server's by default.", {"type": "string"}
            ),
        ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _described(parameter: Parameter) -> dict[str, Any]:
    field = parameter.field
    description = field.help
    if field.kind is Kind.FLAG:
        return _parameter(parameter.name, description, {"type": "boolean"})
    if field.kind is Kind.CHOICE:
        words = ", ".join(f"`{word}`" for word in field.words)
        return _parameter(parameter.name, f"Any of {words}; several by commas.", {"type": "string"})
    if parameter.may_be_none:
        description = f"{description.removesuffix('.')}, or `none`."
    return _parameter(parameter.name, description, {"type": "string"})
