"""Who sees what in the admin: superusers everything, staff the projects that they manage, and nothing else.

Rights come from roles in projects, never from Django's model permissions, so nobody has to grant those as well.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from taskproject.admin import ReadOnly
from tasks.models import Agent, Membership, Project, Role
from tasks.querysets import sees_all

_CACHE = "_managed_project_ids"


def managed_ids(request: HttpRequest) -> set[int] | None:
    """Ids of the projects that the user manages; None for a superuser, who manages all. One query per request."""
    user: Any = request.user
    if sees_all(user):
        return None
    if not hasattr(request, _CACHE):
        owned = Membership.objects.filter(user_id=user.pk, role=Role.MANAGER).values_list("project_id", flat=True)
        setattr(request, _CACHE, set(owned))
    return getattr(request, _CACHE)


def manages(request: HttpRequest, project_id: int | None = None) -> bool:
    """Whether the user manages the project, or without one, any project (a superuser: always)."""
    ids = managed_ids(request)
    if ids is None:
        return True
    return bool(ids) if project_id is None else project_id in ids


def managed_projects(request: HttpRequest) -> QuerySet[Project]:
    ids = managed_ids(request)
    return Project.objects.all() if ids is None else Project.objects.filter(pk__in=ids)


def managed_agents(request: HttpRequest) -> QuerySet[Agent]:
    """Agents that are members of a project that the user manages, and those that the user owns."""
    ids = managed_ids(request)
    agents = Agent.objects.select_related("user")
    if ids is None:
        return agents
    members = Membership.objects.filter(project__in=ids).values("user")
    return agents.filter(Q(user__in=members) | Q(owner_project__in=ids) | Q(owner_user=request.user.pk))


#: Events of the history. Those that are recorded for one person alone, such as notifications, are no part of it.
PUBLIC = Q(recipient__isnull=True)


class ScopedAdmin(admin.ModelAdmin):
    """Base of our admins. ``project_path``: the ORM path from a row to its project's id."""

    project_path: ClassVar[str] = "project_id"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        ids = managed_ids(request)
        # A list, not a subquery: given the few ids, the planner walks the index in order.
        return queryset if ids is None else queryset.filter(**{f"{self.project_path}__in": sorted(ids)})

    def project_id_of(self, obj: Any) -> int | None:
        return obj.project_id

    def may_reach(self, request: HttpRequest, obj: Model | None) -> bool:
        return manages(request) if obj is None else manages(request, self.project_id_of(obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return manages(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_reach(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_reach(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return manages(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_reach(request, obj)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only our own filters: arbitrary lookups such as ``runs__id__startswith`` would reveal a secret."""
        names = [getattr(entry, "parameter_name", entry) for entry in self.get_list_filter(request)]  # type: ignore[arg-type]
        return lookup in names


class ReadOnlyAdmin(ReadOnly, ScopedAdmin):
    """Rows that the verbs write and nobody edits."""

    list_display_links = None
    actions = None


class ScopedInline(admin.TabularInline):
    """Rows of a form whose page is already authorised; they go to the verb with it."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True
