"""Websocket routes; ``taskproject.asgi`` serves them and closes sockets on any other path."""

from django.urls import URLPattern, re_path

from messaging.stream.consumers import EventsConsumer

websocket_urlpatterns: list[URLPattern] = [
    re_path(r"^ws/events/?$", EventsConsumer.as_asgi()),
]
