"""Paths of the event API; every one works with and without a trailing slash."""

from django.urls import re_path

from messaging.api.views import EventsView, TaskEventsView

REF = r"(?P<ref>[A-Za-z][A-Za-z0-9]{0,11}-[0-9]{1,9})"

urlpatterns = [
    re_path(r"^events/?$", EventsView.as_view(), name="api-events"),
    re_path(rf"^tasks/{REF}/events/?$", TaskEventsView.as_view(), name="api-task-events"),
]
