"""Accounts in the admin, for superusers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

User = get_user_model()
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    """An account is made inactive, not deleted: with it would go memberships and assignments, past every verb."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
