"""Whose things are that people define and keep (views, reports, dashboards): an owner, a name, and a project that they
may be shared with. Decision 40 says who may do what with them. What is ``owned`` is a row with ``owner``, ``project``
and ``name``.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from taskproject.errors import DomainError, Invalid
from taskproject.strict_json import unstorable
from tasks.errors import NotPermitted, VersionMismatch
from tasks.finding import find_project
from tasks.models import Project, Role
from tasks.permissions import has_role, memberships_of, require_full_reach
from tasks.querysets import is_superuser

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class HasChanged(VersionMismatch):
    """Somebody else changed it since the caller read it; ``current`` is what it is now."""

    def __init__(self, current: Any) -> None:
        DomainError.__init__(self, f"{current.name!r} has changed since you read it.", "Look at it and try again.")
        self.current = current


def may_edit(user: "User", owned: Any, *, managed: Collection[int] | None = None) -> bool:
    """Whether ``user``, who may read it, may change and delete it: its owner, and whoever manages its project.

    ``managed``: the projects (ids) that the user manages, where they have been read for several.
    """
    if owned.owner_id == user.pk:
        return True
    if managed is not None:
        return owned.project_id in managed
    return owned.project is not None and has_role(user, owned.project, Role.MANAGER)


def require_edit(user: "User", owned: Any) -> None:
    """Raise ``NotPermitted`` unless ``may_edit``."""
    if not may_edit(user, owned):
        key = owned.project.key if owned.project else ""
        raise NotPermitted(f"Only its owner and managers of {key} may change {owned.name!r}.")


def projects_to_share(user: "User") -> QuerySet[Project]:
    """The projects to whose members ``user`` may show what is theirs: those where they may write, not view alone."""
    projects = Project.objects.visible_to(user).order_by("key")
    if is_superuser(user):
        return projects
    roles = [role for role in Role if role.includes(Role.WORKER)]
    return projects.filter(pk__in=memberships_of(user).filter(role__in=roles).order_by().values("project"))


def project_to_share(user: "User", key: str | None, *, what: str) -> Project | None:
    """The project of ``projects_to_share`` with this key; None: ``user`` keeps ``what`` for themself.

    Raises ``NotFound``, ``NotPermitted``.
    """
    if key is None:
        require_full_reach(user, f"keep a {what} for yourself")
        return None
    project = find_project(user, key)
    if not has_role(user, project, Role.WORKER):
        raise NotPermitted(f"Viewers of {project.key} may not share a {what} with it.")
    return project


def project_moved_to(user: "User", owned: Any, key: str | None, *, what: str) -> Project | None:
    """Where ``user`` shares ``owned`` from now on; None: it is taken back, which its managers may too.

    Raises ``Invalid``, ``NotFound``, ``NotPermitted``.
    """
    if owned.project is not None and key is not None and key.upper() == owned.project.key:
        present: Project = owned.project
        return present
    if owned.owner_id != user.pk and key is not None:
        raise NotPermitted(f"Only its owner may share {owned.name!r} with another project.")
    if owned.owner_id is None:
        raise Invalid({"project": "Its owner's account was deleted, so nobody could read it; delete it instead."})
    return project_to_share(user, key, what=what) if owned.owner_id == user.pk else None


def validate(owned: Any, *, document: str) -> None:
    """Check its fields but ``document``, which is read elsewhere. Raises ``Invalid``."""
    for name in ("name", "description"):
        if sentence := unstorable(getattr(owned, name, "")):
            raise Invalid({name: sentence})
    try:
        owned.clean_fields(exclude=[document, "owner", "project"])
    except ValidationError as error:
        raise Invalid(dict(error.message_dict)) from None


def lock_what_is_of(owner_id: int | None) -> None:
    """From here on, others wait who add or change something of this owner that must be unlike the rest of it."""
    if owner_id is not None:
        get_user_model()._default_manager.select_for_update(no_key=True).filter(pk=owner_id).values_list("pk").first()


def require_free_name(owned: Any, *, what: str) -> None:
    """Refuse a name that its owner has given to another; ``what``: what both are."""
    model: Any = type(owned)
    others = model.objects.filter(owner=owned.owner_id, name=owned.name).exclude(pk=owned.pk)
    if owned.owner_id is not None and others.exists():
        raise Invalid({"name": f"There is a {what} named {owned.name!r} already; choose another name."})
