"""Whose things are that people define and keep (views, reports, dashboards): an owner, a name, and a project that they
may be shared with. Decision 40 says who may do what with them.
"""

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from taskproject.errors import DomainError, Invalid
from taskproject.strict_json import unstorable
from tasks.errors import VersionMismatch
from tasks.models import Project, Role
from tasks.permissions import has_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: A row with ``owner``, ``project`` and ``name``.
Owned = Any


class HasChanged(VersionMismatch):
    """Somebody else changed it since the caller read it; ``current`` is what it is now."""

    def __init__(self, current: Owned) -> None:
        DomainError.__init__(self, f"{current.name!r} has changed since you read it.", "Look at it and try again.")
        self.current = current


def may_edit(user: "User", owned: Owned) -> bool:
    """Whether ``user``, who may read it, may change and delete it: its owner, and whoever manages its project."""
    if owned.owner_id == user.pk:
        return True
    return owned.project is not None and has_role(user, owned.project, Role.MANAGER)


def may_share_with(user: "User", project: Project) -> bool:
    """Whether ``user`` may show the members of ``project`` what is theirs: those who may write there, not viewers."""
    return has_role(user, project, Role.WORKER)


def validate(owned: Owned, *, document: str) -> None:
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


def require_free_name(owned: Owned, *, what: str) -> None:
    """Refuse a name that its owner has given to another; ``what``: what both are."""
    model: Any = type(owned)
    others = model.objects.filter(owner=owned.owner_id, name=owned.name).exclude(pk=owned.pk)
    if owned.owner_id is not None and others.exists():
        raise Invalid({"name": f"There is a {what} named {owned.name!r} already; choose another name."})
