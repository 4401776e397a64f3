"""Which values answer a question, and how they read in a sentence."""

from typing import Any

from taskproject.errors import shortened, unknown_name
from taskproject.strict_json import shown_name, unstorable
from taskproject.texts import is_blank
from tasks.questions.shapes import OTHER_MOST, TEXT_MOST, Shape, problem_of_field_value


def problem_of(question: Shape, value: Any) -> str | None:
    """Why ``value`` does not answer ``question``, in one sentence; None if it does.

    A text is answered by text; a choice by a label, or with ``multi`` by a list of labels, where other text is welcome
    unless it is ``strict``; confirm by true or false; a form by an object of its fields.
    """
    match question.kind:
        case "text":
            return _problem_of_text(value, TEXT_MOST)
        case "confirm":
            return None if isinstance(value, bool) else "Must be true or false."
        case "choice":
            return _problem_of_choice(question, value)
    return _problem_of_form(question.schema, value)


def _problem_of_text(value: Any, most: int) -> str | None:
    if not isinstance(value, str):
        return "Must be text."
    if is_blank(value):
        return "Must not be blank."
    if len(value) > most:
        return f"At most {most:,} characters; this has {len(value):,}."
    return unstorable(value)


def _problem_of_choice(question: Shape, value: Any) -> str | None:
    labels = [option["label"] for option in question.options]
    if not question.multi:
        return _problem_of_label(question, labels, value)
    if not isinstance(value, list) or not value:
        return "Must be a list with at least one option."
    if len(value) > len(labels) + 1:
        return f"At most {len(labels) + 1}; these are {len(value):,}."
    if problem := next(filter(None, (_problem_of_label(question, labels, each) for each in value)), None):
        return problem
    return "An option is given twice." if len(set(value)) < len(value) else None


def _problem_of_label(question: Shape, labels: list[str], value: Any) -> str | None:
    if isinstance(value, str) and value in labels:
        return None
    if question.strict:
        if not isinstance(value, str):
            return "Must be one of the options."
        return unknown_name(value, labels, what="option")
    return _problem_of_text(value, OTHER_MOST)


def _problem_of_form(schema: dict[str, Any], value: Any) -> str | None:
    fields = schema["properties"]
    if not isinstance(value, dict):
        return "Must be an object with the fields of the form."
    for name in value:
        if name not in fields:
            return unknown_name(name, fields, what="field")
    for name in schema.get("required", []):
        if name not in value:
            return f"{shown_name(name)}: This field is required."
    for name, given in value.items():
        if problem := problem_of_field_value(fields[name], given):
            return f"{shown_name(name)}: {problem}"
    return None


def shown_value(value: Any, most: int = 300) -> str:
    """An answer as one line of text for people, shortened; untrusted."""
    return shortened(" ".join(_shown(value).split()), most)


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_shown, value))
        case dict():
            return "; ".join(f"{name}: {_shown(each)}" for name, each in value.items())
        case None:
            return ""
    return str(value)
