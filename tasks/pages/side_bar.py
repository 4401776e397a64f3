"""The side bar: the views that the reader keeps or shares, with how many tasks each shows."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Value, When
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from tasks import clock
from tasks.actions.saved_views import views_of
from tasks.conditions import Context
from tasks.errors import Invalid
from tasks.models import Project, SavedView, ViewPlace
from tasks.models.saved_view import SavedViewQuerySet
from tasks.owning import projects_to_share
from tasks.viewed import COUNTED, VIEW, TooSlow, count_of, read_viewed

#: Views in the side bar; the page of views has all.
MOST_SHOWN: Final = 40
#: Projects to share a view with in one form.
MOST_OFFERED: Final = 100
#: Counting ends after this long; what is left has no number.
SECONDS: Final = 2.0
#: Whether the reader folded the side bar, as its script tells.
COOKIE: Final = "side"
FOLDED, OPEN = "folded", "open"
PATHS: Final = {ViewPlace.LIST: "task_list", ViewPlace.BOARD: "board"}


def path_of(place: str) -> str:
    return reverse(PATHS[ViewPlace(place)])


def address_of(view: SavedView) -> str:
    """Where ``view`` opens: what it shows, and its id, by which the page knows what has changed since."""
    query = f"{VIEW}={view.pk}" + (f"&{view.query}" if view.query else "")
    return f"{path_of(view.place)}?{query}"


@dataclass
class Entry:
    """A view in the side bar; ``count``: empty where it is not counted, and then ``why`` says why if there is more."""

    view: SavedView
    is_current: bool = False
    count: str = ""
    why: str = ""

    @property
    def url(self) -> str:
        return address_of(self.view)


@dataclass
class Group:
    title: str
    entries: list[Entry]


def listed(user: Any) -> SavedViewQuerySet:
    """All that the reader may see in order: their own, then those of each project."""
    # Databases differ in where NULL stands.
    is_own = Case(When(project__isnull=True, then=Value(0)), default=Value(1))
    return views_of(user).order_by(is_own, "project__key", "position", "pk")


def groups_of(user: Any, current: str = "") -> list[Group]:
    """One's own, then those of each project. ``current``: the id of the one that is open."""
    groups: list[Group] = []
    for view in listed(user)[:MOST_SHOWN]:
        title = view.project.key if view.project else "Mine"
        if not groups or groups[-1].title != title:
            groups.append(Group(title, []))
        groups[-1].entries.append(Entry(view, str(view.pk) == current))
    return groups


def count(user: Any, entries: Iterable[Entry]) -> None:
    """Say how many tasks each shows to ``user``."""
    context = Context(user, timezone.get_current_timezone(), clock.now())
    until = time.monotonic() + SECONDS
    for entry in entries:
        if time.monotonic() > until:
            return
        try:
            counted = count_of(read_viewed(entry.view.place, entry.view.query), context)
        except Invalid:
            entry.count, entry.why = "!", "It has a filter that does not exist any more."
        except TooSlow:
            entry.count, entry.why = "…", "Too many tasks to look through for a count."
        else:
            entry.count = str(counted) if counted <= COUNTED else f"{COUNTED}+"


def narrowed(place: str, query: Any) -> str | None:
    """The query of an address as a view keeps it; None if it cannot be kept."""
    try:
        return read_viewed(place, query).text
    except Invalid:
        return None


def projects_offered(user: Any, *, named: Collection[str] = (), present: Project | None = None) -> list[Project]:
    """The first projects with which ``user`` may share a view, and ``present``, with which it is shared.

    ``named``: only these keys, if there are any.
    """
    projects = projects_to_share(user)
    if named:
        projects = projects.filter(key__in=named)
    offered = list(projects[:MOST_OFFERED])
    return offered if present is None or present in offered else [present, *offered]


def plain_address(place: str, text: str) -> str:
    return f"{path_of(place)}?{text}" if text else path_of(place)


def current_view(user: Any, query: Any, place: str) -> SavedView | None:
    """The view that an address was opened by, if the reader may see it."""
    given = query.get(VIEW, "")
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        return None
    return views_of(user).filter(pk=int(given), place=place).first()


def with_view(view: SavedView, text: str) -> str:
    """The address of ``view`` with another query."""
    return f"{path_of(view.place)}?{urlencode({VIEW: view.pk})}" + (f"&{text}" if text else "")
