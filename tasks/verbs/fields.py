"""The input of verbs: the types of their fields, with limits, JSON Schema and sentences."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from json import JSONDecodeError
from typing import Any, ClassVar, Final

from taskproject.errors import unknown_choice
from taskproject.strict_json import DECODER, TOO_DEEP, unfit, unstorable, why
from taskproject.texts import LONGEST_URL, is_blank, unfit_for_a_line, wrong_url
from tasks.contents import MOST_BYTES, wrong_content

REQUIRED = "This field is required."
BIGGEST = 2**53


class Unreadable(ValueError):
    """A person typed an invalid value; the message says why in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a verb. ``label`` and ``help`` are for people; ``default`` is its value if it is not given.

    ``missing`` is the sentence for a required field that is not given or blank; every request must include an
    ``explicit`` field, although the verb can do without. Doors with little room, such as the board's dialog, ask only
    for ``short`` fields. ``shown`` names the attribute of the task that prefills the field, ``initial`` the value.
    """

    name: str
    label: str
    help: str = ""
    required: bool = False
    explicit: bool = False
    missing: str = REQUIRED
    default: Any = None
    short: bool = True
    shown: str = ""
    initial: Any = None
    #: Whether a person fills it in on a form.
    by_hand: bool = True

    def problem(self, value: Any) -> str | None:
        """The sentence that refuses ``value``; None if it is valid."""
        if value is None:
            return self.missing if self.required else None
        return self.wrong(value)

    def wrong(self, value: Any) -> str | None:
        """What is wrong with a given value."""
        raise NotImplementedError

    def read(self, text: str) -> Any:
        """The value that a person typed; None if they left it empty. Raises ``Unreadable``."""
        return text.strip() or None

    def type_schema(self) -> dict[str, Any]:
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """The field as JSON Schema."""
        schema = self.type_schema()
        if self.help:
            schema["description"] = self.help
        if self.default is not None:
            schema["default"] = self.default
        return schema


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """Text of at most ``most`` characters; ``lines``: how many a form shows of it."""

    most: int
    lines: int = 1

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "Must be text."
        if self.required and is_blank(value):
            return self.missing
        if len(value) > self.most:
            return f"At most {self.most:,} characters; this has {len(value):,}."
        return unstorable(value)

    def read(self, text: str) -> Any:
        # Browsers send each line break as two characters.
        return text.replace("\r\n", "\n").strip()

    def type_schema(self) -> dict[str, Any]:
        return {"type": "string", **({"minLength": 1} if self.required else {}), "maxLength": self.most}


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    """One of a few words."""

    by_hand: bool = False
    choices: tuple[str, ...]

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "Must be text."
        return None if value in self.choices else unknown_choice(value, self.choices)

    def type_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}


@dataclass(frozen=True, kw_only=True)
class Line(Text):
    """Text on one line, such as the name of a file."""

    def wrong(self, value: Any) -> str | None:
        return super().wrong(value) or ("Must be one line of visible text." if unfit_for_a_line(value) else None)


@dataclass(frozen=True, kw_only=True)
class Url(Text):
    """The address of a page, by http or https, without a name and password in it; may be empty to take it back."""

    most: int = LONGEST_URL
    by_hand: bool = False

    def wrong(self, value: Any) -> str | None:
        return super().wrong(value) or (wrong_url(value) if value or self.required else None)

    def type_schema(self) -> dict[str, Any]:
        return {**super().type_schema(), "format": "uri-reference"}


@dataclass(frozen=True, kw_only=True)
class Texts(Field):
    """At most ``most`` texts of at most ``longest`` characters each, none of them blank."""

    most: int = 200
    longest: int

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return "Must be a list."
        if len(value) > self.most:
            return f"At most {self.most:,}; these are {len(value):,}."
        return next(filter(None, map(self._wrong_text, value)), None)

    def _wrong_text(self, text: Any) -> str | None:
        if not isinstance(text, str):
            return "Each must be text."
        if is_blank(text):
            return "None may be blank."
        if len(text) > self.longest:
            return f"Each has at most {self.longest:,} characters; one has {len(text):,}."
        return unstorable(text)

    def type_schema(self) -> dict[str, Any]:
        text = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return {"type": "array", "items": text, "maxItems": self.most}


@dataclass(frozen=True, kw_only=True)
class Whole(Field):
    """A whole number from ``least`` to ``most``."""

    least: int = 0
    most: int = BIGGEST

    def wrong(self, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return "Must be a whole number."
        if not self.least <= value <= self.most:
            return f"Must be from {self.least:,} to {self.most:,}."
        return None

    def read(self, text: str) -> Any:
        text = text.strip()
        if not text:
            return None
        try:
            return int(text[:20])
        except ValueError:
            raise Unreadable("Must be a whole number.") from None

    def type_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    """A number from 0 to ``most`` with at most ``places`` digits after the point."""

    most: int
    places: int = 6

    def wrong(self, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value != value:
            return "Must be a number."
        if not 0 <= value <= self.most:
            return f"Must be from 0 to {self.most:,}."
        # By its text, as written: a float has more digits than anybody meant.
        if round(Decimal(str(value)), self.places) != Decimal(str(value)):
            return f"At most {self.places} digits after the decimal point."
        return None

    def type_schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": self.most}


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    """True or false; on a form a box to tick."""

    def wrong(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else "Must be true or false."

    def read(self, text: str) -> Any:
        return bool(text)

    def type_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, kw_only=True)
class Json(Field):
    """Any JSON value. People type text, or JSON that starts like an object or a list; at most ``typed`` characters."""

    lines: int = 3
    typed: int = 200_000

    def wrong(self, value: Any) -> str | None:
        return unfit(value)

    def read(self, text: str) -> Any:
        text = text.strip()
        if not text or text[0] not in "{[":
            return text or None
        try:
            return DECODER.decode(text)
        except JSONDecodeError as error:
            raise Unreadable(f"Starts like JSON but cannot be read (line {error.lineno}: {error.msg}).") from None
        except RecursionError:
            raise Unreadable(TOO_DEEP) from None
        except ValueError as error:
            raise Unreadable(why(error)) from None

    def type_schema(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, kw_only=True)
class JsonObject(Field):
    """A JSON object with any content."""

    by_hand: bool = False

    def wrong(self, value: Any) -> str | None:
        return unfit(value) if isinstance(value, dict) else "Must be an object."

    def type_schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}}


@dataclass(frozen=True, kw_only=True)
class Names(Field):
    """Names of rows, which the door turns into the rows: the verb gets one per name, in order, without repeats."""

    #: What is named, for ``tasks.using`` to look it up.
    what: ClassVar[str]
    by_hand: bool = False
    most: int = 100
    longest: int = 60

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return "Must be a list."
        if not value and (self.required or self.explicit):
            return self.missing
        if len(value) > self.most:
            return f"At most {self.most:,}; these are {len(value):,}."
        return next(filter(None, map(self._wrong_name, value)), None)

    def _wrong_name(self, name: Any) -> str | None:
        if not isinstance(name, str):
            # A row, which the code that found it has already checked.
            return None if hasattr(name, "pk") else "Must be text."
        if is_blank(name):
            return "A name must not be empty."
        if len(name) > self.longest:
            return f"A name has at most {self.longest:,} characters; this has {len(name):,}."
        return unstorable(name)

    def type_schema(self) -> dict[str, Any]:
        name = {"type": "string", "minLength": 1, "maxLength": self.longest}
        least = {"minItems": 1} if self.required or self.explicit else {}
        return {"type": "array", "items": name, "maxItems": self.most, **least}


@dataclass(frozen=True, kw_only=True)
class Agents(Names):
    """Agents, by their slugs."""

    what: ClassVar[str] = "agents"


@dataclass(frozen=True, kw_only=True)
class Tasks(Names):
    """Tasks of the same project, by their refs."""

    what: ClassVar[str] = "tasks"
    most: int = 200
    longest: int = 40


@dataclass(frozen=True, kw_only=True)
class Projects(Names):
    """Projects that the caller is a member of, by their keys."""

    what: ClassVar[str] = "projects"
    longest: int = 12


@dataclass(frozen=True, kw_only=True)
class Person(Names):
    """One person, by the slug of their agent; on a form, a choice of those who may work on the task."""

    what: ClassVar[str] = "person"
    by_hand: bool = True

    def wrong(self, value: Any) -> str | None:
        return self.missing if self.required and value == "" else self._wrong_name(value)

    def type_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": self.longest}


@dataclass(frozen=True, kw_only=True)
class Record(Field):
    """An object with the given ``parts`` and no others."""

    by_hand: bool = False
    parts: tuple[Field, ...]

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, dict):
            first = next((part.name for part in self.parts if part.required), self.parts[0].name)
            return f'Must be an object such as {{"{first}": …}}.'
        known = [part.name for part in self.parts]
        for name in value:
            if name not in known:
                return f"{name}: There is no such member; known are {', '.join(known)}."
        return next(filter(None, (_named(part.name, part.problem(value.get(part.name))) for part in self.parts)), None)

    def type_schema(self) -> dict[str, Any]:
        return object_schema(self.parts)


@dataclass(frozen=True, kw_only=True)
class Records(Record):
    """At most ``most`` objects with the given ``parts``; a problem names the place in the list, counted from 1."""

    most: int = 200

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return "Must be a list."
        if len(value) > self.most:
            return f"At most {self.most:,}; these are {len(value):,}."
        for place, item in enumerate(value, 1):
            if problem := super().wrong(item):
                return f"No. {place}: {problem}"
        return None

    def type_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": object_schema(self.parts), "maxItems": self.most}


@dataclass(frozen=True, kw_only=True)
class Content(Field):
    """The bytes of an artifact; the verb checks them against its kind."""

    by_hand: bool = False

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, bytes):
            return "Must be bytes."
        return None if len(value) <= MOST_BYTES else f"At most {MOST_BYTES:,} bytes; this has {len(value):,}."

    def type_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}


@dataclass(frozen=True, kw_only=True)
class Artifacts(Records):
    """Artifacts within a JSON body: a text or diff as ``text``, a link as ``url``, a file as ``base64``."""

    by_hand: bool = False
    most: int = 20

    def wrong(self, value: Any) -> str | None:
        if problem := super().wrong(value):
            return problem
        for place, item in enumerate(value, 1):
            if problem := _wrong_artifact(item):
                return f"No. {place}: {problem}"
        return None


#: Which member has the content of an artifact of each kind.
CONTENT_IN: Final = {"text": "text", "diff": "text", "link": "url", "file": "base64"}


def content_of(artifact: Mapping[str, Any]) -> bytes:
    """The content of a member of ``Artifacts``. Raises ``ValueError`` if its base64 cannot be read."""
    text: str = artifact[CONTENT_IN[artifact["kind"]]]
    return base64.b64decode(text, validate=True) if artifact["kind"] == "file" else text.encode()


def _wrong_artifact(artifact: Mapping[str, Any]) -> str | None:
    kind, member = artifact["kind"], CONTENT_IN[artifact["kind"]]
    given = {name for name in CONTENT_IN.values() if artifact.get(name) is not None}
    if given != {member}:
        return f"A {kind} has its content in {member}, and nowhere else."
    try:
        return _named(member, wrong_content(kind, content_of(artifact)))
    except ValueError:
        return f"{member}: This is not base64."


@dataclass(frozen=True, kw_only=True)
class LineComments(Records):
    """Comments on lines of artifacts; on pages their script collects them while somebody reads."""

    by_hand: bool = False
    most: int = 100


@dataclass(frozen=True, kw_only=True)
class Criteria(Records):
    """How each criterion of the task was met; on a form, a box to tick for each."""

    by_hand: bool = True


def _named(name: str, problem: str | None) -> str | None:
    return f"{name}: {problem}" if problem else None


def object_schema(fields: Iterable[Field]) -> dict[str, Any]:
    """The JSON Schema of an object with ``fields`` and no others."""
    fields = list(fields)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields},
        "additionalProperties": False,
    }
    if required := [field.name for field in fields if field.required or field.explicit]:
        schema["required"] = required
    return schema
