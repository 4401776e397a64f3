"""The verbs of saved views: save, edit, place among the others, delete. Decision 40 says whose they are."""

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Max, QuerySet

from taskproject.errors import Invalid, NotFound, NotPermitted
from taskproject.strict_json import unstorable
from tasks import clock
from tasks.models import Project, Role, SavedView
from tasks.models.saved_view import SavedViewQuerySet
from tasks.owning import (
    HasChanged,
    lock_what_is_of,
    project_moved_to,
    project_to_share,
    require_edit,
    require_free_name,
    validate,
)
from tasks.permissions import has_role
from tasks.viewed import read_viewed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Of one owner.
MOST_VIEWS: Final = 200
EDITABLE: Final = ("name", "project", "query", "position")


def views_of(user: "User") -> SavedViewQuerySet:
    """Those that ``user`` may read, with owner and project loaded."""
    rows: SavedViewQuerySet = SavedView.objects.visible_to(user)
    return rows.select_related("owner__agent", "project")


def find_view(user: "User", pk: int) -> SavedView:
    """The view with this id. Raises ``NotFound``."""
    view = views_of(user).filter(pk=pk).first() if 0 < pk < 2**63 else None
    if view is None:
        raise NotFound("There is no view with this id that you may see.")
    return view


def save_view(*, actor: "User", name: str, place: str, query: str, project: str | None = None) -> SavedView:
    """Keep a query under a name, for oneself or for the members of the project with this key.

    Raises ``Invalid`` with a sentence for each filter that is wrong, ``NotFound`` for an unknown project,
    ``NotPermitted``.
    """
    view = SavedView(owner=actor, name=name, place=place, query=read_viewed(place, query).text)
    view.project = project_to_share(actor, project, what="view")
    validate(view, document="query")
    with transaction.atomic():
        lock_what_is_of(actor.pk)
        if SavedView.objects.filter(owner=actor).count() >= MOST_VIEWS:
            raise Invalid({"name": f"You have {MOST_VIEWS} views, which is the limit; delete one first."})
        require_free_name(view, what="view")
        view.position = _end_of(view)
        view.created_at = view.updated_at = clock.now()
        view.save(force_insert=True)
    return view


def save_view_once(*, actor: "User", name: str, place: str, query: str, project: str | None = None) -> SavedView:
    """As ``save_view``; a form that was sent twice gives the view that the first one made."""
    try:
        return save_view(actor=actor, name=name, place=place, query=query, project=project)
    except Invalid as error:
        may_be_there = "name" in error.data["errors"] and not unstorable(name)
        own = views_of(actor).filter(owner=actor, name=name, place=place).first() if may_be_there else None
        key = own.project.key if own is not None and own.project else None
        if own is None or own.query != read_viewed(place, query).text or key != project:
            raise
        return own


def edit_view(
    *, actor: "User", view: SavedView, changes: dict[str, Any], expected_version: int | None = None
) -> SavedView:
    """Change fields (``EDITABLE``); ``project`` is a key, or None to take the view back; ``position`` its place among
    its owner's own or its project's, from 0.

    Raises ``HasChanged`` if ``expected_version`` is not the present one; ``Invalid``, ``NotFound``, ``NotPermitted``.
    """
    require_edit(actor, view)
    values = {name: changes[name] for name in EDITABLE if name in changes}
    if "query" in values:
        values["query"] = read_viewed(view.place, values["query"]).text
    with transaction.atomic():
        lock_what_is_of(view.owner_id)
        if "position" in values and view.project_id is not None:
            # One at a time puts a project's views in order: each locks all of them.
            Project.objects.select_for_update(no_key=True).filter(pk=view.project_id).values_list("pk").first()
        present = views_of(actor).select_for_update(of=("self",), no_key=True).filter(pk=view.pk).first()
        if present is None:
            raise NotFound("The view was deleted or is no longer shared with you.")
        view = present
        require_edit(actor, view)
        if expected_version not in (None, view.version):
            raise HasChanged(view)
        place = values.pop("position", None)
        if "project" in values:
            values["project"] = project_moved_to(actor, view, values["project"], what="view")
        changed = [name for name, value in values.items() if getattr(view, name) != value]
        if changed:
            for name in changed:
                setattr(view, name, values[name])
            if "project" in changed:
                view.position = _end_of(view)
            validate(view, document="query")
            require_free_name(view, what="view")
            view.version += 1
            view.updated_at = clock.now()
            view.save(update_fields=[*changed, "position", "version", "updated_at"])
        if place is not None:
            _place(actor, view, place)
    return view


def delete_view(*, actor: "User", view: SavedView) -> None:
    """Raises ``NotPermitted``."""
    require_edit(actor, view)
    view.delete()


def _beside(view: SavedView) -> QuerySet[SavedView]:
    """Those that are listed together with ``view``."""
    if view.project_id is not None:
        return SavedView.objects.filter(project=view.project_id)
    return SavedView.objects.filter(owner=view.owner_id, project__isnull=True)


def _end_of(view: SavedView) -> int:
    last = _beside(view).exclude(pk=view.pk).aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 1


def _place(actor: "User", view: SavedView, place: int) -> None:
    if view.project is not None and not has_role(actor, view.project, Role.MANAGER):
        raise NotPermitted(f"Only managers of {view.project.key} may put its views in order.")
    ids = list(_beside(view).select_for_update().order_by("position", "pk").values_list("pk", flat=True))
    ids.remove(view.pk)
    ids.insert(max(0, min(place, len(ids))), view.pk)
    rows = [SavedView(pk=pk, position=position) for position, pk in enumerate(ids)]
    SavedView.objects.bulk_update(rows, ["position"])
    view.position = ids.index(view.pk)
