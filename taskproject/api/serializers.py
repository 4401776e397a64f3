"""What serializers of inputs have in common."""

from typing import Any

from rest_framework import serializers

from tasks.errors import unknown_name


class StrictSerializer(serializers.Serializer):
    """Refuses fields it does not know, naming the nearest one it does: a typo must not pass as success."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = [name for name, field in self.fields.items() if not field.read_only]
            unknown = {str(name): [unknown_name(str(name), known, what="field")] for name in data if name not in known}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)
