"""Paths of the pages of messaging."""

from django.urls import path
from django.views.generic import RedirectView

from messaging.notifications.pages import notifications

urlpatterns = [
    path("notifications/", notifications, name="notifications"),
    path("notifications", RedirectView.as_view(pattern_name="notifications", query_string=True)),
]
