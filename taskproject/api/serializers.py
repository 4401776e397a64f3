"""What input serializers have in common: they refuse unknown fields and coerce nothing."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from rest_framework import serializers

from taskproject.errors import unknown_choice, unknown_names
from taskproject.texts import INVISIBLE, is_blank
from taskproject.times import read_moment

TEXT_LIMIT = 100_000
BIGGEST_INTEGER = 2**53


class Objects(serializers.ListSerializer):
    """A list of objects, refused before they are looked at if there are more than ``max_length``."""

    default_error_messages = {"max_length": "At most {max_length}."}


class StrictSerializer(serializers.Serializer):
    """Refuses unknown fields, naming the nearest known one: a typo must not pass as success.

    ``elsewhere`` has the sentences for fields that have a place of their own.
    """

    elsewhere: ClassVar[dict[str, str]] = {}

    default_error_messages = {"invalid": "Must be an object."}

    class Meta:
        list_serializer_class = Objects

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = {name: None for name, field in self.fields.items() if not field.read_only}
            unknown = [str(name) for name in data if name not in known]
            if unknown:
                placed = {name: [self.elsewhere[name]] for name in unknown if name in self.elsewhere}
                rest = [name for name in unknown if name not in placed]
                raise serializers.ValidationError(placed | unknown_names(rest, known, what="field"))
        return super().to_internal_value(data)


class ListOf(serializers.ListField):
    """A list of at most ``max_length``; a longer one is refused before its items are looked at, which costs time."""

    def to_internal_value(self, data: Any) -> list[Any]:
        most = self.max_length
        if most is not None and isinstance(data, list) and len(data) > most:
            raise serializers.ValidationError(f"At most {most:,}; these are {len(data):,}.")
        listed: list[Any] = super().to_internal_value(data)
        return listed


class PlainText(serializers.CharField):
    """Text as it was sent, of limited length; may be empty. NUL is not allowed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "allow_blank": True, "max_length": TEXT_LIMIT, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be a text.")
        if data and not self.allow_blank and is_blank(data):
            raise serializers.ValidationError(INVISIBLE)
        return super().to_internal_value(data)


class Integer(serializers.IntegerField):
    """A whole number; texts and booleans are refused."""

    def __init__(self, **kwargs: Any) -> None:
        limits = {"max_value": BIGGEST_INTEGER, **kwargs}
        least, most = limits.get("min_value"), limits["max_value"]
        said = f"Must be at most {most}." if least is None else f"Must be from {least} to {most}."
        super().__init__(**limits, error_messages={"min_value": said, "max_value": said})

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("Must be a whole number.")
        return super().to_internal_value(data)


class Decimals(serializers.FloatField):
    """A finite number; texts and booleans are refused."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            raise serializers.ValidationError("Must be a number.")
        return super().to_internal_value(data)


class Boolean(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("Must be true or false.")
        return data


class Choice(serializers.ChoiceField):
    """One of a few words; any other is refused with the nearest."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be a text.")
        if data not in self.choices:
            known = list(map(str, self.choices))
            raise serializers.ValidationError(unknown_choice(data, known))
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A time, as ``times.read_moment`` reads it; ``end_of_day``: a day alone means its end."""

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        meant = "end" if end_of_day else "start"
        text = f"ISO 8601, without an offset in the server's time zone; a day alone means its {meant}."
        super().__init__(**{"help_text": text, **kwargs})
        self.end_of_day = end_of_day

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return read_moment(value if isinstance(value, str) else "", end_of_day=self.end_of_day)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class TextOf(serializers.CharField):
    """In an output: a text that ``make`` makes of the whole instance."""

    def __init__(self, make: Callable[[Any], str | None], **kwargs: Any) -> None:
        super().__init__(**{"source": "*", **kwargs})
        self.make = make

    def to_representation(self, value: Any) -> Any:
        return self.make(value)
