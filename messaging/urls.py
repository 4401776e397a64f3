"""Paths of the pages of messaging."""

from django.urls import path
from django.views.generic import RedirectView

from messaging.conversation.pages import conversation, write_to
from messaging.inbox.pages import inbox
from messaging.mail.unsubscribing import unsubscribe
from messaging.notifications.pages import notifications
from messaging.notifications.settings_page import notification_settings
from messaging.watching_page import watch

urlpatterns = [
    path("messages/", conversation, name="messages"),
    path("messages", RedirectView.as_view(pattern_name="messages", query_string=True)),
    path("messages/to", write_to, name="write_to"),
    path("messages/<str:name>", conversation, name="conversation"),
    path("inbox/", inbox, name="inbox"),
    path("inbox", RedirectView.as_view(pattern_name="inbox", query_string=True)),
    path("notifications/", notifications, name="notifications"),
    path("notifications/settings/", notification_settings, name="notification_settings"),
    path("notifications/settings", RedirectView.as_view(pattern_name="notification_settings", query_string=True)),
    path("unsubscribe/<str:token>", unsubscribe, name="unsubscribe"),
    path("tasks/<slug:ref>/watch", watch, name="task_watch"),
    path("notifications", RedirectView.as_view(pattern_name="notifications", query_string=True)),
]
