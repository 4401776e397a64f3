"""What the task page's buttons send, checked before a verb sees it."""

import json
from typing import Any

from django import forms

RESULT_LIMIT = 200_000
DEEPEST = 50


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _is_storable(value: Any, depth: int = 0) -> bool:
    """Whether every database keeps ``value``: no NUL or half character in its texts, and not nested without end."""
    if depth > DEEPEST:
        return False
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_storable(key, depth) and _is_storable(item, depth + 1) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_storable(item, depth + 1) for item in value)
    return True


def read_result(text: str) -> Any:
    """A result as a person types it: JSON where it looks like an object or a list, else plain text; None if empty.

    Raises ``ValidationError`` for broken JSON.
    """
    text = text.strip()
    if not text:
        return None
    if text[0] not in "{[":
        return text
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}: {error.msg})" if isinstance(error, json.JSONDecodeError) else ""
        raise forms.ValidationError(f"The result begins like JSON but cannot be read{where}.") from None
    if not _is_storable(value):
        raise forms.ValidationError("The result holds characters that cannot be stored, or is nested too deeply.")
    return value


class NoteForm(forms.Form):
    """Approve, request changes, cancel, reopen, release: an optional note."""

    note = forms.CharField(max_length=10_000, required=False)


class StartForm(forms.Form):
    """For whom, where a manager starts the task for somebody else."""

    agent = forms.CharField(max_length=60, required=False)


class RunForm(forms.Form):
    """Number of the run that the page showed: what was written for one run must not end another."""

    run = forms.IntegerField(min_value=1)


class ProgressForm(RunForm):
    percent = forms.IntegerField(min_value=0, max_value=100)
    note = forms.CharField(max_length=1000, required=False)


class CompleteForm(RunForm):
    summary = forms.CharField(max_length=20_000)
    result = forms.CharField(max_length=RESULT_LIMIT, required=False)

    def clean_result(self) -> Any:
        return read_result(self.cleaned_data["result"])


class FailForm(RunForm):
    code = forms.CharField(max_length=100)
    detail = forms.CharField(max_length=20_000)
    retryable = forms.BooleanField(required=False)


class ReleaseForm(RunForm):
    note = forms.CharField(max_length=2000, required=False)
