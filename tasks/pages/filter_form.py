"""The form that adds a filter, or edits one: a field, an operator, values."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict

from taskproject.errors import Invalid, unknown_choice
from tasks.conditions import Condition, Context, Field, Kind, Leaf, read
from tasks.conditions.of_tasks import TASK_FIELDS

ADD, EDIT, JOIN, OPERATOR, VALUE = "add", "edit", "join", "operator", "value"
#: The parameters of its form.
FORM_NAMES: Final = (ADD, EDIT, JOIN, OPERATOR, VALUE)
#: In the form, whether a field is set needs no value.
IS_SET, IS_NOT_SET = "is_set", "is_not_set"


@dataclass(frozen=True)
class Adding:
    """The form that adds a condition on one field."""

    field: Field
    operator: str
    values: list[str]
    known: list[str]
    #: Whether it was sent, and not only opened.
    is_sent: bool = False

    @property
    def operators(self) -> list[tuple[str, str]]:
        """Each operator with its words; those for a single value are left out where several can be given."""
        field = self.field
        names = [name for name in field.operators if name != "is_set"]
        if "in" in names and field.kind is not Kind.NUMBER:
            names = [name for name in names if name not in ("is", "is_not")]
        elif field.kind is not Kind.FLAG:
            names = [name for name in names if name not in ("in", "not_in")]
        words = [(name, _WORDS[name]) for name in names]
        return words + ([(IS_SET, "is set"), (IS_NOT_SET, "is not set")] if "is_set" in field.operators else [])

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """What can be chosen: value, label, and whether it is."""
        field = self.field
        if field.kind is Kind.FLAG:
            return [("true", "Yes", "false" not in self.values), ("false", "No", "false" in self.values)]
        names = list(field.words) or self.known
        return [(name, field.shown(name), name in self.values) for name in names]

    @property
    def typed(self) -> str:
        """What is in the text box: the values that cannot be chosen."""
        listed = {value for value, _, _ in self.choices}
        return ", ".join(value for value in self.values if value not in listed)

    @property
    def may_type(self) -> bool:
        return self.field.kind not in (Kind.FLAG, Kind.CHOICE)

    def condition(self) -> Condition:
        """The condition that was filled in. Raises ``Invalid``."""
        name = self.field.name
        if self.operator in (IS_SET, IS_NOT_SET):
            return read({"field": name, "is_set": self.operator == IS_SET}, TASK_FIELDS, place=self.field.label)
        values = [self._value(text) for text in self.values]
        value: Any = values if self.operator in ("in", "not_in") else (values[0] if values else "")
        return read({"field": name, self.operator: value}, TASK_FIELDS, place=self.field.label)

    def _value(self, text: str) -> Any:
        match self.field.kind:
            case Kind.FLAG:
                return {"true": True, "false": False}.get(text, text)
            case Kind.NUMBER:
                return int(text) if text.removeprefix("-").isdecimal() and len(text) < 20 else text
        return text


_WORDS = {
    "is": "is",
    "is_not": "is not",
    "in": "is any of",
    "not_in": "is none of",
    "at_least": "is at least",
    "at_most": "is at most",
    "contains": "contains",
    "starts_with": "starts with",
    "before": "is before",
    "after": "is from",
    "on": "is on",
}


def _filled(leaf: Leaf) -> tuple[str, list[str]]:
    """The operator and the values that the form shows for ``leaf``."""
    if leaf.operator == "is_set":
        return (IS_SET if leaf.value else IS_NOT_SET), []
    several = "in" in TASK_FIELDS[leaf.field].operators and TASK_FIELDS[leaf.field].kind is not Kind.NUMBER
    names = {"is": "in", "is_not": "not_in"} if several else {"in": "is", "not_in": "is_not"}
    values = [str(value).lower() if isinstance(value, bool) else str(value) for value in leaf.values]
    return names.get(leaf.operator, leaf.operator), values


def read_form(query: QueryDict, context: Context, edited: Condition | None) -> Adding | None:
    """The form, as asked for or filled in; None: it was not. Raises ``Invalid``."""
    name = query.get(ADD, "")
    if not name and isinstance(edited, Leaf):
        name = edited.field
    if not name:
        return None
    if name not in TASK_FIELDS:
        raise Invalid({ADD: unknown_choice(name, list(TASK_FIELDS), what="field")})
    field = TASK_FIELDS[name]
    known = list(field.known(context)) if field.known else []
    operator = query.get(OPERATOR, "")
    if not operator and isinstance(edited, Leaf) and edited.field == name:
        return Adding(field, *_filled(edited), known)
    values = []
    for text in query.getlist(VALUE):
        text = text.strip()
        # A name that is known may contain a comma.
        several = field.kind is Kind.NAMES and text not in known
        values += [part.strip() for part in (text.split(",") if several else [text]) if part.strip()]
    adding = Adding(field, operator, list(dict.fromkeys(values)), known, is_sent=bool(operator))
    if adding.operator and adding.operator not in dict(adding.operators):
        raise Invalid({OPERATOR: unknown_choice(adding.operator, list(dict(adding.operators)), what="operator")})
    return adding
