"""The small links with which a field of a task is edited where it stands."""

from typing import Any

from django import template

from tasks.models import Membership, Role
from tasks.permissions import memberships_of
from tasks.querysets import sees_all
from tasks.using.task_fields import FIELDS

register = template.Library()


def _managed_keys(request: Any) -> frozenset[str] | None:
    """The keys of the projects that the reader manages, read once for each page; None: all."""
    if not hasattr(request, "managed_keys"):
        user = request.user
        managed = Membership.objects.none() if sees_all(user) else memberships_of(user).filter(role=Role.MANAGER)
        keys = frozenset(managed.values_list("project__key", flat=True))
        request.managed_keys = None if sees_all(user) else keys
    keys_or_all: frozenset[str] | None = request.managed_keys
    return keys_or_all


@register.inclusion_tag("tasks/_edit_link.html", takes_context=True)
def edit_link(context: template.Context, ref: str, name: str, shortcut: str = "") -> dict[str, Any]:
    """The link to the editor of the field ``name`` of the task ``ref``, for whoever may edit it.

    ``static/tasks/edit.js`` opens the editor in the nearest element with ``data-editable``. On a page with the names of
    the ``editable`` fields of its task these decide; elsewhere, as in the rows of a list, the projects that the reader
    manages.
    """
    request = context.get("request")
    if request is None:
        return {}
    if "editable" in context:
        is_shown = name in context["editable"]
    else:
        keys = _managed_keys(request)
        is_shown = keys is None or ref.partition("-")[0] in keys
    return {
        "is_shown": is_shown,
        "ref": ref,
        "of": FIELDS[name],
        "here": request.get_full_path(),
        "shortcut": shortcut,
    }
