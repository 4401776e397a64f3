"""Events in the OpenAPI description: one schema per kind of the catalogue, distinguished by ``kind``."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from tasks.events.kinds import CATALOGUE, Kind


def data_schema(kind: Kind) -> dict[str, Any]:
    """The JSON schema of what events of this kind have in ``data``."""
    declared = kind.declared.data
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {**datum.type.schema, "description": datum.meaning} for name, datum in declared.items()},
    }
    if required := [name for name, datum in declared.items() if not datum.optional]:
        schema["required"] = required
    return schema


def component_name(kind: Kind) -> str:
    return "".join(word.capitalize() for word in kind.replace(".", "_").split("_")) + "Event"


class EventSchema(OpenApiSerializerExtension):
    """``EventOutput`` as the choice of all kinds."""

    target_class = "messaging.api.events.EventOutput"

    def map_serializer(self, auto_schema: AutoSchema, direction: Literal["request", "response"]) -> dict[str, Any]:
        common = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        base = self._component(auto_schema, "AnyEvent", common)
        choices = {
            str(kind): self._component(
                auto_schema,
                component_name(kind),
                {
                    "title": str(kind),
                    "description": kind.declared.meaning,
                    "allOf": [base],
                    "type": "object",
                    "properties": {"kind": {"type": "string", "const": str(kind)}, "data": data_schema(kind)},
                    "required": ["kind", "data"],
                },
            )
            for kind in CATALOGUE.values()
        }
        return {
            "description": common["description"],
            "oneOf": list(choices.values()),
            "discriminator": {
                "propertyName": "kind",
                "mapping": {name: choice["$ref"] for name, choice in choices.items()},
            },
        }

    def _component(self, auto_schema: AutoSchema, name: str, schema: dict[str, Any]) -> dict[str, str]:
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=schema)
        auto_schema.registry.register_on_missing(component)
        ref: dict[str, str] = component.ref
        return ref
