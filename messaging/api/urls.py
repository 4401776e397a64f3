"""Paths of the API of events, notifications and the inbox; every one works with and without a trailing slash."""

from django.urls import re_path

from messaging.api.conversations import ConversationsView, MessagesReadView
from messaging.api.events import EventsView, TaskEventsView
from messaging.api.inbox import ArchiveView, InboxCountView, InboxView, SnoozeView
from messaging.api.notifications import NotificationsView, ReadView, UnreadView
from messaging.api.preferences import PreferencesView
from messaging.api.presence import PresenceView
from messaging.api.watching import WatchView
from messaging.api.webhooks import (
    DeliveriesView,
    RedeliverView,
    RotateView,
    TestView,
    WebhooksView,
    WebhookView,
)
from tasks.refs import PATTERN

NUMBER = "(?P<id>[0-9]{1,18})"
OF_PROJECT = r"projects/(?P<key>[A-Za-z0-9]{1,12})/webhooks"
#: An item's id, as in review-OPS-3.
ITEM = r"(?P<id>[a-z_]+-[^/?]{1,120})"

urlpatterns = [
    re_path(r"^inbox/?$", InboxView.as_view(), name="api-inbox"),
    re_path(r"^inbox/count/?$", InboxCountView.as_view(), name="api-inbox-count"),
    re_path(rf"^inbox/{ITEM}/snooze/?$", SnoozeView.as_view(), name="api-inbox-snooze"),
    re_path(rf"^inbox/{ITEM}/archive/?$", ArchiveView.as_view(), name="api-inbox-archive"),
    re_path(r"^events/?$", EventsView.as_view(), name="api-events"),
    re_path(rf"^tasks/(?P<ref>{PATTERN})/events/?$", TaskEventsView.as_view(), name="api-task-events"),
    re_path(rf"^tasks/(?P<ref>{PATTERN})/watch/?$", WatchView.as_view(), name="api-task-watch"),
    re_path(r"^conversations/?$", ConversationsView.as_view(), name="api-conversations"),
    re_path(r"^messages/read/?$", MessagesReadView.as_view(), name="api-messages-read"),
    re_path(r"^projects/(?P<key>[A-Za-z0-9]{1,12})/presence/?$", PresenceView.as_view(), name="api-presence"),
    re_path(r"^notifications/?$", NotificationsView.as_view(), name="api-notifications"),
    re_path(r"^notifications/unread/?$", UnreadView.as_view(), name="api-notifications-unread"),
    re_path(r"^notifications/read/?$", ReadView.as_view(), name="api-notifications-read"),
    re_path(r"^notifications/preferences/?$", PreferencesView.as_view(), name="api-notifications-preferences"),
    re_path(rf"^{OF_PROJECT}/?$", WebhooksView.as_view(), name="api-webhooks"),
    re_path(rf"^{OF_PROJECT}/{NUMBER}/?$", WebhookView.as_view(), name="api-webhook"),
    re_path(rf"^webhooks/{NUMBER}/rotate/?$", RotateView.as_view(), name="api-webhook-rotate"),
    re_path(rf"^webhooks/{NUMBER}/test/?$", TestView.as_view(), name="api-webhook-test"),
    re_path(rf"^webhooks/{NUMBER}/deliveries/?$", DeliveriesView.as_view(), name="api-deliveries"),
    re_path(rf"^deliveries/{NUMBER}/redeliver/?$", RedeliverView.as_view(), name="api-redeliver"),
]
