"""Fields of many tasks at once: what is left empty stays as each task has it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django import forms

from taskproject.times import require_in_range
from tasks.actions.funnel import load_task
from tasks.actions.names import skills_named, tasks_named
from tasks.actions.tasks import edit_task
from tasks.errors import Invalid, VersionMismatch
from tasks.models import Priority, Task
from tasks.refs import parse_ref
from tasks.transitions import Status
from tasks.using.lines import marked, names_in, skills_in
from tasks.verbs import Verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EDIT: Final = Verb(
    name="edit",
    label="Edit fields",
    doing="Change {}",
    done="Changed {}",
    passive="changed",
    help="What you leave empty stays as each task has it.",
    sources=frozenset(Status),
)
#: How often an edit is computed again because somebody changed the task meanwhile.
TRIES = 3
NONE = "none"
_WHEN = {"type": "datetime-local"}


class ListField(forms.CharField):
    """A list in one line, as ``read`` reads it."""

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        super().__init__(required=False, max_length=1000, **options)
        self.read = read

    def clean(self, value: Any) -> Any:
        try:
            return self.read(super().clean(value))
        except Invalid as error:
            raise forms.ValidationError(error.sentence) from None


def _labels(text: str) -> list[str]:
    return names_in(text, "labels")


def _needs(text: str) -> dict[str, int]:
    needs = skills_in(text, "required_skills")
    skills_named(list(needs.items()))
    return needs


def _skills(text: str) -> list[str]:
    return marked(text, "+", "required_skills")


class BulkEditForm(forms.Form):
    """What to change of each task."""

    verb = EDIT

    priority = forms.ChoiceField(
        choices=[("", "Leave"), *((str(value), label) for value, label in Priority.choices)], required=False
    )
    due_at = forms.DateTimeField(
        label="Due", required=False, validators=[require_in_range], widget=forms.DateTimeInput(attrs=_WHEN)
    )
    no_due_at = forms.BooleanField(label="Remove the due date", required=False)
    add_labels = ListField(_labels, label="Add labels", help_text="Separated by commas.")
    remove_labels = ListField(_labels, label="Remove labels", help_text="Separated by commas.")
    add_skills = ListField(_needs, label="Require skills", help_text="Separated by commas; with a level: python:3.")
    remove_skills = ListField(_skills, label="Do not require skills", help_text="Separated by commas.")
    parent = forms.CharField(label="Parent", required=False, max_length=24, help_text="A ref such as OPS-42, or none.")
    estimate_minutes = forms.IntegerField(label="Estimate in minutes", required=False, min_value=0, max_value=10**6)
    review_required = forms.ChoiceField(
        label="Review", choices=[("", "Leave"), ("yes", "Required"), ("no", "Not required")], required=False
    )

    def clean_parent(self) -> str:
        text = str(self.cleaned_data["parent"]).strip()
        if text and text.lower() != NONE and not parse_ref(text):
            raise forms.ValidationError("Must be a ref such as OPS-42, or none.")
        return text.upper() if text.lower() != NONE else NONE

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("due_at") and data.get("no_due_at"):
            self.add_error("no_due_at", "There is a date above as well; choose one of them.")
        elif not self.errors and data["estimate_minutes"] is None and not any(data.values()):
            raise forms.ValidationError("Fill in what to change.")
        return data

    def values(self) -> dict[str, Any]:
        """What ``changing`` takes."""
        return {"given": self.cleaned_data}


def changing(*, actor: "User", task: Task, given: dict[str, Any]) -> Task:
    """Edit one of many tasks; labels and skills are added to what it has at that moment. Raises ``DomainError``."""
    for attempt in range(TRIES):
        task = load_task(task)
        try:
            return edit_task(actor=actor, task=task, changes=_changes(task, given), expected_version=task.version)
        except VersionMismatch:
            if attempt == TRIES - 1:
                raise
    raise AssertionError


def _changes(task: Task, given: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if given["priority"]:
        changes["priority"] = int(given["priority"])
    if given["due_at"] or given["no_due_at"]:
        changes["due_at"] = given["due_at"]
    if given["estimate_minutes"] is not None:
        changes["estimate_minutes"] = given["estimate_minutes"]
    if given["review_required"]:
        changes["review_required"] = given["review_required"] == "yes"
    added, removed = given["add_labels"], given["remove_labels"]
    if added or removed:
        has = list(task.labels.values_list("name", flat=True))
        changes["labels"] = [name for name in dict.fromkeys([*has, *added]) if name not in removed]
    needed, dropped = given["add_skills"], given["remove_skills"]
    if needed or dropped:
        levels = dict(task.required_skills.values_list("skill__name", "min_level")) | needed
        changes["required_skills"] = [each for each in levels.items() if each[0] not in dropped]
    if given["parent"]:
        ref = given["parent"]
        changes["parent"] = None if ref == NONE else tasks_named([ref], project=task.project, field="parent")[0]
    return changes
