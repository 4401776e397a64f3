"""Websocket routes; ``taskproject.asgi`` serves them and closes sockets of any other path."""

from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = []
