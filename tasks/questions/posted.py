"""An answer as an HTML form posts it, read into a value. What it says is judged by ``values.problem_of``."""

from collections.abc import Mapping
from typing import Any

from tasks.questions.shapes import Shape

#: The name of the control; a form's fields are ``value.NAME``.
VALUE = "value"
#: The value of the choice "other…", whose text is in the field ``other``.
OTHER_CHOICE, OTHER = "__other__", "other"
#: Longer ones are no numbers that every reader keeps exact.
LONGEST_NUMBER = 40


def value_posted(question: Shape, data: Any) -> Any:
    """The value in ``data``, a ``QueryDict``; None if nothing was chosen or typed.

    Names of its fields: ``value`` (text; the label, several with ``multi``; ``yes`` or ``no``), ``other`` for the text
    of the choice ``__other__``, and ``value.NAME`` for each field of a form, where a box that is not ticked is false.
    What is no number stays text, so that ``problem_of`` says so.
    """
    match question.kind:
        case "confirm":
            return {"yes": True, "no": False}.get(data.get(VALUE, ""))
        case "choice":
            return _choice(question, data)
        case "form":
            return _form(question.schema, data)
    return text_posted(data.get(VALUE, "")) or None


def text_posted(typed: str) -> str:
    """What was typed, without blanks around it and with line breaks of one character: browsers send two."""
    return typed.replace("\r\n", "\n").strip()


def _choice(question: Shape, data: Any) -> Any:
    other = text_posted(data.get(OTHER, ""))
    chosen = [other if label == OTHER_CHOICE else label for label in data.getlist(VALUE)]
    if not chosen and other:
        chosen = [other]
    chosen = list(dict.fromkeys(filter(None, chosen)))
    if question.multi:
        return chosen or None
    return chosen[0] if chosen else None


def _form(schema: Mapping[str, Any], data: Any) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, field in schema["properties"].items():
        typed = text_posted(data.get(f"{VALUE}.{name}", ""))
        if field["type"] == "boolean":
            value[name] = typed not in ("", "false", "no")
        elif typed:
            value[name] = typed if field["type"] == "string" else _number(typed, whole=field["type"] == "integer")
    return value


def _number(typed: str, *, whole: bool) -> Any:
    if len(typed) > LONGEST_NUMBER:
        return typed
    try:
        return int(typed) if whole or typed.lstrip("+-").isdecimal() else float(typed)
    except ValueError:
        return typed
