"""Notifications and followers as read-only lists; rules and followers write them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from messaging.models import FollowerCursor, Letter, Mail, Notification
from messaging.notifications.sentences import sentence
from messaging.webhooks import admin as _webhooks  # noqa: F401 - importing registers them
from taskproject.admin import ReadOnly
from tasks.querysets import sees_all


class RecordAdmin(ReadOnly, admin.ModelAdmin):
    """A list that nobody edits."""

    list_display_links = None
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request.user)


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    """Who was notified of what; for superusers only, since a user's notifications are not a manager's business."""

    list_display = ("at", "recipient", "kind", "what", "read_at")
    list_filter = ("kind", ("read_at", admin.EmptyFieldListFilter))
    search_fields = ("=recipient__username", "=event__task_ref")
    search_help_text = "A username, or a task's ref as in OPS-42."
    list_per_page = 100
    list_max_show_all = 0
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        return super().get_queryset(request).select_related("recipient", "event")

    @admin.display(description="What")
    def what(self, notification: Notification) -> str:
        return sentence(notification)


@admin.register(Mail)
class MailAdmin(RecordAdmin):
    """What was mailed to whom, or why not; for superusers only, like notifications."""

    list_display = ("created_at", "recipient", "kind", "state", "due_at", "ended_at", "attempts", "reason")
    list_filter = ("state", "kind")
    search_fields = ("=recipient__username", "=event__task_ref")
    search_help_text = "A username, or a task's ref as in OPS-42."
    list_per_page = 100
    list_max_show_all = 0
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mail]:
        return super().get_queryset(request).select_related("recipient")


@admin.register(Letter)
class LetterAdmin(RecordAdmin):
    """Mails that other parts of the site wrote, such as scheduled reports; their words and files are not shown."""

    # Whoever has the link that stops them needs no account.
    exclude = ("subject", "text", "stop_path")
    list_display = ("created_at", "recipient", "file_name", "state", "due_at", "ended_at", "attempts", "reason")
    list_filter = ("state",)
    search_fields = ("=recipient__username",)
    search_help_text = "A username."
    list_per_page = 100
    list_max_show_all = 0
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Letter]:
        return super().get_queryset(request).select_related("recipient").defer("content", "text")


@admin.register(FollowerCursor)
class FollowerCursorAdmin(RecordAdmin):
    """How far each follower has read the stream; `doctor` reports which are behind."""

    list_display = ("name", "moved_at", "event_id")
