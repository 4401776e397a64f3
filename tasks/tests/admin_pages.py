"""Helpers for tests of the admin: signing in, and posting a form as the page provided it."""

from typing import Any

from django.test import Client
from django.urls import reverse

LIST = "admin:tasks_task_changelist"


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _values(form: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        widget = bound.field.widget
        name = bound.html_name
        if hasattr(widget, "widgets") and hasattr(widget, "decompress"):
            parts = value if isinstance(value, list) else widget.decompress(value)
            for index, part in enumerate(parts):
                values[f"{name}_{index}"] = "" if part is None else part
        elif getattr(widget, "allow_multiple_selected", False):
            values[name] = [getattr(item, "pk", item) for item in value or ()]
        elif isinstance(value, bool):
            if value:
                values[name] = "on"
        else:
            values[name] = "" if value is None else getattr(value, "pk", value)
    return values


def as_posted(response: Any) -> dict[str, Any]:
    """What a browser would send for the admin form of ``response``, with nothing changed."""
    data = _values(response.context["adminform"].form)
    for inline in response.context["inline_admin_formsets"]:
        data |= _values(inline.formset.management_form)
        for form in inline.formset.initial_forms:
            data |= _values(form)
    return data


def act(client: Client, action: str, tasks: list[Any], query: str = "", **more: Any) -> Any:
    """Choose ``action`` in the task list for ``tasks``; returns the page that follows."""
    data = {"action": action, "_selected_action": [task.pk for task in tasks], **more}
    return client.post(reverse(LIST) + query, data, follow=True)


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]
