"""The input of requests for a verb, and their words in the API's description, made from its declaration."""

from functools import cache
from typing import Any

from drf_spectacular.drainage import set_override
from rest_framework import serializers

from taskproject.api.serializers import StrictSerializer
from tasks.verbs import Verb
from tasks.verbs.fields import Field, Json


def summary_of(verb: Verb, on: str = "a task") -> str:
    """What it does, in a few words; ``on``: what it is used on."""
    return verb.doing.replace("{}", on)


def description_of(verb: Verb) -> str:
    """What it does, and what only callers of the API need to know."""
    return f"{verb.help} {verb.in_api}".strip()


class DeclaredField(serializers.Field):
    """A field as declared in the catalogue: its limits, its sentences and its JSON Schema."""

    def __init__(self, declared: Field, *, required: bool | None = None) -> None:
        if required is None:
            required = declared.required or declared.explicit
        arguments: dict[str, Any] = {"required": required}
        if declared.default is not None:
            arguments = {"default": declared.default}
        super().__init__(
            allow_null=isinstance(declared, Json),
            help_text=declared.help or None,
            error_messages={"required": declared.missing},
            **arguments,
        )
        self.declared = declared
        # Help and default are added where the serializer is described.
        set_override(self, "field", declared.type_schema())

    def to_internal_value(self, data: Any) -> Any:
        if problem := self.declared.problem(data):
            raise serializers.ValidationError(problem)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@cache
def input_of(verb: Verb) -> type[StrictSerializer]:
    """The serializer for the input of a request that uses ``verb``; names stay names."""
    name = "".join(word.capitalize() for word in verb.key.split("_"))
    fields = {field.name: DeclaredField(field) for field in verb.fields}
    return type(f"{name}Input", (StrictSerializer,), {"__doc__": verb.help or verb.in_api, **fields})
