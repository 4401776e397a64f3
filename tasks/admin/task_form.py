"""The form of a task: what people may edit. Status and what runs write are not included."""

import csv
import hashlib
import io
import json
from datetime import time
from typing import Any, ClassVar

from django import forms

from tasks.admin.verb_form import VerbForm
from tasks.errors import DependencyCycle, DomainError, VersionMismatch
from tasks.models import Agent, Task


class StaleForm(DomainError):
    """Somebody else changed the task while the form was open; saving again would overwrite the listed fields."""

    code, status, title = VersionMismatch.code, VersionMismatch.status, VersionMismatch.title


def plain_lines(text: Any) -> str:
    """Browsers post ``\\r\\n`` for every line break; that alone is not a change."""
    return str(text or "").replace("\r\n", "\n")


class TextField(forms.CharField):
    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        return plain_lines(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return plain_lines(initial).strip() != plain_lines(data).strip()


def written_labels(names: list[str]) -> str:
    """Labels in one line, separated by commas; a label containing a comma is quoted."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue().replace(",", ", ") if not any("," in name for name in names) else line.getvalue()


class LabelsField(forms.CharField):
    def clean(self, value: Any) -> Any:
        try:
            rows = list(csv.reader([super().clean(value)], skipinitialspace=True))
        except csv.Error:
            raise forms.ValidationError("Write the labels in one line, separated by commas.") from None
        return list(dict.fromkeys(name.strip() for name in rows[0] if name.strip())) if rows else []


def content_digest(task: Task) -> str:
    """A digest of everything that the form writes: unlike the version, it ignores a run's progress."""
    parts = [
        [task.title, task.description, task.priority, task.criteria, task.due_at, task.start_after, task.on_hold],
        [task.estimate_minutes, task.review_required, task.max_attempts, task.parent_id],
        sorted(task.labels.values_list("name", flat=True)),
        sorted(task.required_skills.values_list("skill__name", "min_level")),
        sorted(task.dependencies.values_list("depends_on_id", flat=True)),
    ]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


class DayAndTimeField(forms.SplitDateTimeField):
    """A day and, if it matters, a time of day; without one, ``day_means``."""

    def __init__(self, *args: Any, day_means: time, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.day_means = day_means

    def compress(self, data_list: Any) -> Any:
        if data_list and data_list[0] and data_list[1] is None:
            data_list = [data_list[0], self.day_means]
        return super().compress(data_list)


class TaskForm(VerbForm):
    field_of: ClassVar[dict[str, str]] = {"labels": "label_names", "agents": "assignees"}

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    content = forms.CharField(widget=forms.HiddenInput, required=False)
    description = TextField(required=False, max_length=100_000)
    criteria = TextField(
        required=False, help_text="What must be true for the task to be done, one per line.", widget=forms.Textarea
    )
    label_names = LabelsField(
        required=False, max_length=5_000, label="Labels", help_text="Separated by commas; new ones are created."
    )
    depends_on = forms.ModelMultipleChoiceField(
        queryset=Task.objects.none(), required=False, help_text="The task waits until all of these are completed."
    )
    assignees = forms.ModelMultipleChoiceField(queryset=Agent.objects.none(), required=False)

    class Meta:
        model = Task
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        task = self.instance
        self.fields["criteria"].widget.attrs["rows"] = 4
        if task.pk:
            self._fill_from(task)

    def _fill_from(self, task: Task) -> None:
        self.fields.pop("assignees", None)
        self.initial = {
            **self.initial,
            "version": task.version,
            "content": content_digest(task),
            "criteria": "\n".join(map(str, task.criteria)),
            "label_names": written_labels(sorted(task.labels.values_list("name", flat=True))),
            "depends_on": list(task.dependencies.values_list("depends_on_id", flat=True)),
        }

    def clean_criteria(self) -> list[str]:
        if "criteria" not in self.changed_data:
            return self.instance.criteria
        return [line.strip() for line in self.cleaned_data["criteria"].splitlines() if line.strip()]

    def show_refusal(self, error: DomainError) -> None:
        if isinstance(error, DependencyCycle):
            self.add_error("depends_on" if "depends_on" in self.changed_data else "parent", error.detail)
            return
        super().show_refusal(error)
        if isinstance(error, StaleForm):
            # The input stays, and the next save knows what it overwrites. The instance contains the input.
            current = Task.objects.get(pk=self.instance.pk)
            data: Any = self.data
            self.data = data = data.copy()
            data[self.add_prefix("version")] = str(current.version)
            data[self.add_prefix("content")] = content_digest(current)

    def refuse_if_stale(self, current: Task) -> None:
        """Raise ``StaleForm`` if what the form writes has changed in ``current`` since it was filled in."""
        if self.cleaned_data.get("version") == current.version:
            return
        if self.cleaned_data.get("content") == content_digest(current):
            return
        names = [self._now(name) for name in self.changed_data if name not in ("version", "content")]
        rest = f" (saving again replaces: {'; '.join(names)})" if names else ""
        raise StaleForm(
            f"{current.ref} was changed by somebody else while you edited it; nothing was saved, "
            f"but your input is still here: check it and save again{rest}."
        )

    def _now(self, name: str) -> str:
        """A field with its current value; the form's initial values are read from the database."""
        label = str(self.fields[name].label or name.replace("_", " ")).lower()
        value = self.get_initial_for_field(self.fields[name], name)
        if name in ("description", "criteria", "depends_on"):
            return label
        choices = dict(getattr(self.fields[name], "choices", ()))
        text = str(choices.get(value, "none" if value in (None, "") else value))
        return f"{label}, now “{text[:80]}”"
