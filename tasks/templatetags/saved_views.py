"""The side bar of every page, and the tools with which a page's view is kept."""

from typing import Any

from django import template

from tasks.models import ViewPlace
from tasks.owning import may_edit
from tasks.pages.side_bar import (
    COOKIE,
    FOLDED,
    OPEN,
    address_of,
    current_view,
    groups_of,
    narrowed,
    projects_offered,
)
from tasks.viewed import VIEW, read_viewed

register = template.Library()


@register.inclusion_tag("tasks/_side.html", takes_context=True)
def side_bar(context: template.Context) -> dict[str, Any]:
    """The views of the reader; open where they keep any and have not folded it."""
    request = context["request"]
    current = request.GET.get(VIEW, "")
    groups = groups_of(request.user, current)
    choice = request.COOKIES.get(COOKIE, "")
    is_open = choice == OPEN or (bool(groups) and choice != FOLDED)
    return {"groups": groups, "is_open": is_open, "current": current}


@register.inclusion_tag("tasks/_view_tools.html", takes_context=True)
def view_tools(context: template.Context, place: str) -> dict[str, Any]:
    """*Save view* for what the list or the board shows; in a view that has changed, how to keep that or go back."""
    request = context["request"]
    # What the board did not understand it does not show.
    text = narrowed(place, context["query"].text if place == ViewPlace.BOARD else request.GET)
    view = current_view(request.user, request.GET, place) if text is not None else None
    return {
        "place": ViewPlace(place).value,
        "query": text,
        "view": view,
        "is_changed": view is not None and view.query != text,
        "may_edit": view is not None and may_edit(request.user, view),
        "reset_url": address_of(view) if view is not None else "",
        "projects": projects_offered(request.user, named=read_viewed(place, text).projects) if text is not None else [],
        "csrf_token": context.get("csrf_token"),
    }
