"""HTML forms made from declarations: widgets, labels and limits of the fields that people fill in."""

from collections.abc import Sequence
from typing import Any

from django import forms

from tasks.errors import Invalid
from tasks.models import Task
from tasks.verbs import Verb
from tasks.verbs.fields import Choice, Criteria, Field, Flag, Json, Person, Text, Unreadable, Whole


def _widget(field: Field, task: Task, people: Sequence[str]) -> forms.Widget:
    match field:
        case Text(lines=1):
            return forms.TextInput(attrs={"maxlength": field.most})
        case Text():
            return forms.Textarea(attrs={"rows": field.lines, "maxlength": field.most})
        case Json():
            return forms.Textarea(attrs={"rows": field.lines, "maxlength": field.typed, "class": "mono"})
        case Whole():
            return forms.NumberInput(attrs={"min": field.least, "max": field.most, "step": 1, "inputmode": "numeric"})
        case Choice():
            return forms.Select(choices=[(choice, choice.capitalize()) for choice in field.choices])
        case Flag():
            return forms.CheckboxInput()
        case Criteria():
            return forms.CheckboxSelectMultiple(choices=[(str(n), str(text)) for n, text in enumerate(task.criteria)])
        case Person():
            return forms.Select(choices=[(slug, slug) for slug in people])
    raise AssertionError(f"No form shows {field!r}.")


class InputField(forms.Field):
    """One declared field: reads the input, or refuses it in the words of the declaration."""

    def __init__(self, declared: Field, task: Task, people: Sequence[str]) -> None:
        initial = getattr(task, declared.shown) if declared.shown else declared.initial
        super().__init__(
            label=declared.label,
            help_text=declared.help,
            required=declared.required,
            initial=declared.default if isinstance(declared, Flag | Choice) else initial,
            widget=_widget(declared, task, people),
        )
        self.declared = declared
        self.criteria = [str(text) for text in task.criteria]

    @property
    def kind(self) -> str:
        """For templates: ``flag``, ``criteria``, or empty for fields below their label."""
        return {Flag: "flag", Criteria: "criteria"}.get(type(self.declared), "")

    def clean(self, value: Any) -> Any:
        try:
            read = self._read(value)
        except Unreadable as error:
            raise forms.ValidationError(str(error)) from None
        if problem := self.declared.problem(read):
            raise forms.ValidationError(problem)
        return read

    def _read(self, value: Any) -> Any:
        if isinstance(self.declared, Flag):
            return bool(value)
        if isinstance(self.declared, Criteria):
            met = set(value or ())
            return [{"criterion": text, "met": str(n) in met} for n, text in enumerate(self.criteria)] or None
        return self.declared.read(value or "")


class InputForm(forms.Form):
    """The input of ``verb`` on ``task``; ``short`` leaves out what has no room in a dialog.

    ``people``: the slugs to choose from if a person is chosen.
    """

    def __init__(
        self,
        verb: Verb,
        task: Task,
        data: Any = None,
        *,
        people: Sequence[str] = (),
        short: bool = False,
        auto_id: str = "",
    ) -> None:
        super().__init__(data, auto_id=auto_id or f"{verb.name}-%s")
        self.verb = verb
        for field in verb.typed:
            if (field.short or not short) and not (isinstance(field, Criteria) and not task.criteria):
                self.fields[field.name] = InputField(field, task, people)

    def values(self) -> dict[str, Any]:
        """The input by field name. Raises ``Invalid`` with a sentence for each invalid field."""
        if not self.is_valid():
            errors = self.errors.get_json_data()
            raise Invalid({name: [error["message"] for error in listed] for name, listed in errors.items()})
        return dict(self.cleaned_data)
