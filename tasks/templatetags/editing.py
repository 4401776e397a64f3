"""The small links with which a field of a task is edited where it stands."""

from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from tasks.models import Membership, Role
from tasks.permissions import memberships_of
from tasks.querysets import sees_all
from tasks.templatetags.tasks_pages import icon
from tasks.using.task_fields import FIELDS

register = template.Library()

_NOTHING = mark_safe("")
#: Stands for the ref in a path.
_ANY_REF = "_-_"


def _managed_keys(request: Any) -> frozenset[str] | None:
    """The keys of the projects that the reader manages, read once for each page; None: all."""
    if not hasattr(request, "managed_keys"):
        user = request.user
        managed = Membership.objects.none() if sees_all(user) else memberships_of(user).filter(role=Role.MANAGER)
        keys = frozenset(managed.values_list("project__key", flat=True))
        request.managed_keys = None if sees_all(user) else keys
    keys_or_all: frozenset[str] | None = request.managed_keys
    return keys_or_all


@register.simple_tag(takes_context=True)
def edit_link(context: template.Context, ref: str, name: str, shortcut: str = "") -> SafeString:
    """The link to the editor of the field ``name`` of the task ``ref``, for whoever may edit it.

    ``static/tasks/edit.js`` opens the editor in the nearest element with ``data-editable``. On a page with the names of
    the ``editable`` fields of its task these decide; elsewhere, as in the rows of a list, the projects that the reader
    manages.
    """
    request = context.get("request")
    if request is None:
        return _NOTHING
    is_alone = "editable" in context
    if is_alone:
        is_shown = name in context["editable"]
    else:
        keys = _managed_keys(request)
        is_shown = keys is None or ref.partition("-")[0] in keys
    if not is_shown:
        return _NOTHING
    return mark_safe(escape(ref).join(_parts(request, name, shortcut, is_alone)))  # noqa: S308 - all of it is escaped


def _parts(request: Any, name: str, shortcut: str, is_alone: bool) -> tuple[str, str, str]:
    """What stands around the ref in each link for this field, made once for a page: a list has hundreds of them."""
    if not hasattr(request, "edit_links"):
        request.edit_links = {}
    kept: dict[tuple[str, str, bool], tuple[str, str, str]] = request.edit_links
    key = name, shortcut, is_alone
    if key not in kept:
        # A task may stand in several rows of a list: only where it stands alone the link is the same after a refresh.
        marks = format_html(' data-key="edit-{}"', name) if is_alone else _NOTHING
        if shortcut:
            marks += format_html(' data-shortcut="{}"', shortcut)
        before, after = reverse("edit_field", args=[_ANY_REF, name]).split(_ANY_REF)
        kept[key] = (
            format_html('<a class="edit-link no-print" href="{}', before),
            format_html(
                '{}?{}" data-edit="{}"{} title="Edit">{}<span class="visually-hidden">Edit the {} of ',
                after,
                _back_to(request),
                name,
                marks,
                icon("edit"),
                FIELDS[name].noun,
            ),
            "</span></a>",
        )
    return kept[key]


def _back_to(request: Any) -> str:
    if not hasattr(request, "way_back_here"):
        request.way_back_here = urlencode({"next": request.get_full_path()})
    way_back: str = request.way_back_here
    return way_back
