"""What serializers of inputs have in common."""

import difflib
from typing import Any

from rest_framework import serializers


def unknown_name_message(name: str, known: list[str]) -> str:
    """One sentence for a name that is not known, with the nearest one that is."""
    if close := difflib.get_close_matches(name, known, n=1, cutoff=0.5):
        return f"Unknown; did you mean {close[0]!r}?"
    return f"Unknown; known are {', '.join(known)}." if known else "Unknown; nothing is expected here."


class StrictSerializer(serializers.Serializer):
    """Refuses fields it does not know, naming the nearest one it does: a typo must not pass as success."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = [name for name, field in self.fields.items() if not field.read_only]
            unknown = {str(name): [unknown_name_message(str(name), known)] for name in data if name not in known}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)
