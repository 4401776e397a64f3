"""Admin forms that write through verbs: the form is validated, the verb is called, its refusal is a form error.

A refusal rolls back the whole save, and the form is shown again with everything that was entered.
"""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import construct_change_message
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from tasks.errors import DomainError

_REFUSED = "_refused_by_verb"


class VerbForm(forms.ModelForm):
    """A form that can show a verb's refusal. ``field_of``: the verb's name for a field → the form's."""

    field_of: ClassVar[dict[str, str]] = {}
    refused: ClassVar[DomainError | None] = None

    def full_clean(self) -> None:
        super().full_clean()
        if self.refused is not None and self.is_bound:
            self.show_refusal(self.refused)

    def show_refusal(self, error: DomainError) -> None:
        errors = error.data.get("errors") or {}
        if not errors:
            self.add_error(None, error.detail)
        for name, texts in errors.items():
            field = self.field_of.get(name, name)
            if field in self.fields:
                self.add_error(field, list(texts))
            else:
                self.add_error(None, [f"{name.replace('_', ' ')}: {text}" for text in texts])


class VerbFormAdmin(admin.ModelAdmin):
    """Calls ``write`` instead of ``Model.save``; nothing else in the form reaches the database."""

    def write(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> Model:
        """Call the verbs that write the form to the database, and return the row. May raise ``DomainError``."""
        raise NotImplementedError

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            setattr(request, _REFUSED, error)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if (refused := getattr(request, _REFUSED, None)) is not None:
            form = type(form.__name__, (form,), {"refused": refused})
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Does nothing yet: the verb also needs the content of the inlines."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        saved = self.write(request, form, list(formsets), change)
        form.instance.__dict__.update(saved.__dict__)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return construct_change_message(form, [], add)


def kept_rows(formset: Any) -> list[dict[str, Any]]:
    """The rows of an inline that are filled in and not marked for deletion."""
    rows = (form.cleaned_data for form in formset.forms if form.has_changed() or form.instance.pk)
    return [row for row in rows if row and not row.get("DELETE")]
