"""Accounts in the admin, for superusers."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from tasks.models import Membership, Project, Role

User = get_user_model()
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Accounts are deactivated, not deleted: deletion would remove memberships and assignments without any verb."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Says which projects nobody manages any more; an account must be disabled at once nevertheless."""
        super().save_model(request, obj, form, change)
        if obj.is_active or "is_active" not in form.changed_data:
            return
        managed = Project.objects.filter(memberships__user=obj, memberships__role=Role.MANAGER)
        left = managed.exclude(pk__in=Membership.objects.managing().values("project")).order_by("key")
        for project in left:
            words = f"{project.key} has no active manager any more; make somebody a manager of it."
            self.message_user(request, words, messages.WARNING)
