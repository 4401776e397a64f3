"""What the admin pages of all apps share."""

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """Mixin for a ``ModelAdmin`` of rows that are written elsewhere: nobody adds, changes or deletes them by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
