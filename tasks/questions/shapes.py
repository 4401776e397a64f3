"""What a question may ask: the limits of its kind, options and form."""

from typing import Any, Final, Protocol

from taskproject.errors import unknown_choice, unknown_name
from taskproject.strict_json import shown_name, unfit, unstorable
from taskproject.texts import is_blank

#: Of a question: free text, a choice of options, yes or no, or a form of several fields.
KINDS: Final = ("text", "choice", "confirm", "form")
PROMPT_MOST, TEXT_MOST, OTHER_MOST = 10_000, 10_000, 2_000
OPTIONS_MOST, LABEL_MOST, DESCRIPTION_MOST = 20, 200, 1_000
FIELDS_MOST, ENUM_MOST = 30, 100
#: Whole numbers that every JSON reader keeps exact.
BIGGEST: Final = 2**53
FIELD_TYPES: Final = ("string", "number", "integer", "boolean")
_OPTION_MEMBERS = ("label", "description", "recommended")
_FORM_MEMBERS = ("type", "title", "description", "properties", "required", "additionalProperties")
_FIELD_MEMBERS = {
    "string": ("type", "title", "description", "default", "enum", "minLength", "maxLength"),
    "number": ("type", "title", "description", "default", "enum", "minimum", "maximum"),
    "integer": ("type", "title", "description", "default", "enum", "minimum", "maximum"),
    "boolean": ("type", "title", "description", "default"),
}


class Shape(Protocol):
    """What decides which values answer a question; its row has these, too.

    ``options``: of a choice, objects with ``label`` and perhaps ``description`` and ``recommended``; ``schema``: of a
    form, a flat JSON Schema.
    """

    kind: str
    options: Any
    multi: bool
    strict: bool
    schema: Any


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def holds(kind: str, value: Any) -> bool:
    """Whether ``value`` is of a field's type."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= BIGGEST
    return is_number(value) and unfit(value) is None


def problems_of_shape(shape: Shape) -> dict[str, str]:
    """What is wrong with a question as it is asked, a sentence per member; an empty dictionary if nothing is."""
    problems: dict[str, str | None] = {}
    if shape.kind not in KINDS:
        return {"kind": unknown_choice(str(shape.kind), KINDS, what="kind of questions")}
    if shape.kind == "choice":
        problems["options"] = _problem_of_options(shape.options)
    else:
        if shape.options:
            problems["options"] = "Only a choice has options."
        for name in ("multi", "strict"):
            if getattr(shape, name):
                problems[name] = f"Only a choice may be {name}."
    if shape.kind == "form":
        problems["schema"] = _problem_of_form(shape.schema)
    elif shape.schema is not None:
        problems["schema"] = "Only a form has a schema."
    return {name: problem for name, problem in problems.items() if problem}


def _problem_of_text(value: Any, most: int) -> str | None:
    if not isinstance(value, str):
        return "must be text."
    if is_blank(value):
        return "must not be blank."
    if len(value) > most:
        return f"has at most {most:,} characters."
    return unstorable(value)


def _problem_of_options(options: Any) -> str | None:
    if not isinstance(options, list) or not options:
        return 'A choice requires options, such as [{"label": "Yes"}, {"label": "Later"}].'
    if len(options) > OPTIONS_MOST:
        return f"At most {OPTIONS_MOST}; these are {len(options):,}."
    labels = set()
    for option in options:
        if not isinstance(option, dict):
            return 'Each must be an object, such as {"label": "Yes"}.'
        for name in option:
            if name not in _OPTION_MEMBERS:
                return unknown_choice(str(name), _OPTION_MEMBERS, what="member of an option")
        if problem := _problem_of_text(option.get("label"), LABEL_MOST):
            return f"label: {problem}"
        description = option.get("description", "")
        if description != "" and (problem := _problem_of_text(description, DESCRIPTION_MOST)):
            return f"description: {problem}"
        if not isinstance(option.get("recommended", False), bool):
            return "recommended: must be true or false."
        if option["label"] in labels:
            return f"{shown_name(option['label'])} is given twice."
        labels.add(option["label"])
    return None


def _problem_of_form(schema: Any) -> str | None:
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return "A form requires a flat JSON Schema of an object, with its fields as `properties`."
    for name in schema:
        if name not in _FORM_MEMBERS:
            return unknown_choice(str(name), _FORM_MEMBERS, what="member of a form's schema")
    if schema.get("additionalProperties", False) is not False:
        return "additionalProperties: a form has the fields that it names and no others."
    if problem := _problem_of_words(schema):
        return problem
    fields = schema.get("properties")
    if not isinstance(fields, dict) or not fields:
        return "properties: a form has at least one field."
    if len(fields) > FIELDS_MOST:
        return f"properties: at most {FIELDS_MOST} fields; these are {len(fields):,}."
    for name, field in fields.items():
        problem = _problem_of_text(name, 60) or _problem_of_field(field)
        if problem:
            return f"{shown_name(name)}: {problem}"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return "required: must be a list of names."
    if len(set(required)) < len(required):
        return "required: a name is given twice."
    for name in required:
        if name not in fields:
            return f"required: {unknown_name(name, fields, what='field')}"
    return None


def _problem_of_words(schema: dict[str, Any]) -> str | None:
    for name, most in (("title", LABEL_MOST), ("description", DESCRIPTION_MOST)):
        if name in schema and (problem := _problem_of_text(schema[name], most)):
            return f"{name}: {problem}"
    return None


def _problem_of_field(field: Any) -> str | None:
    if not isinstance(field, dict):
        return "must be an object with a type."
    kind = field.get("type")
    if not isinstance(kind, str) or kind not in FIELD_TYPES:
        return f"type: must be one of {', '.join(FIELD_TYPES)}."
    for name in field:
        if name not in _FIELD_MEMBERS[kind]:
            return unknown_choice(str(name), _FIELD_MEMBERS[kind], what=f"member of a field of type {kind}")
    if problem := _problem_of_words(field) or _problem_of_limits(field):
        return problem
    if "enum" in field:
        values = field["enum"]
        if not isinstance(values, list) or not 0 < len(values) <= ENUM_MOST:
            return f"enum: must be a list of 1 to {ENUM_MOST} values."
        if any(problem_of_field_value({**field, "enum": None}, value) for value in values):
            return f"enum: each must be a valid {kind}."
        if any(value in values[:place] for place, value in enumerate(values)):
            return "enum: a value is given twice."
    if "default" in field and (problem := problem_of_field_value(field, field["default"])):
        return f"default: {problem}"
    return None


def _problem_of_limits(field: dict[str, Any]) -> str | None:
    for least, most in (("minLength", "maxLength"), ("minimum", "maximum")):
        for name in (least, most):
            if name not in field:
                continue
            limit = field[name]
            if name.endswith("Length"):
                if not holds("integer", limit) or not 0 <= limit <= TEXT_MOST:
                    return f"{name}: must be a whole number from 0 to {TEXT_MOST:,}."
            elif not holds("number", limit):
                return f"{name}: must be a number."
        if least in field and most in field and field[least] > field[most]:
            return f"{least}: must not be more than {most}."
    return None


def problem_of_field_value(field: dict[str, Any], value: Any) -> str | None:
    """What is wrong with ``value`` for a form's field, whose schema is valid."""
    kind = field["type"]
    if not holds(kind, value):
        return {
            "string": "Must be text.",
            "boolean": "Must be true or false.",
            "integer": "Must be a whole number.",
        }.get(kind, "Must be a number.")
    if field.get("enum") is not None and not any(same(value, each) for each in field["enum"]):
        return f"Must be one of {', '.join(map(str, field['enum'][:10]))}{'…' if len(field['enum']) > 10 else '.'}"
    if kind == "string":
        return _problem_of_length(field, value)
    if kind != "boolean":
        if "minimum" in field and value < field["minimum"]:
            return f"Must be at least {field['minimum']}."
        if "maximum" in field and value > field["maximum"]:
            return f"Must be at most {field['maximum']}."
    return None


def _problem_of_length(field: dict[str, Any], value: str) -> str | None:
    most = field.get("maxLength", TEXT_MOST)
    if len(value) < field.get("minLength", 0):
        return f"At least {field['minLength']:,} characters; this has {len(value):,}."
    if len(value) > most:
        return f"At most {most:,} characters; this has {len(value):,}."
    return unstorable(value)


def same(first: Any, other: Any) -> bool:
    """Whether two JSON values are the same; unlike in Python, ``true`` is no number."""
    if isinstance(first, bool) or isinstance(other, bool):
        return first is other
    if isinstance(first, dict) and isinstance(other, dict):
        return first.keys() == other.keys() and all(same(value, other[name]) for name, value in first.items())
    if isinstance(first, list) and isinstance(other, list):
        return len(first) == len(other) and all(map(same, first, other))
    return bool(first == other)
