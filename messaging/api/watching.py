"""Watching a task over HTTP."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.watching import choose_watch, watching_members
from taskproject.api.operations import operation
from taskproject.api.views import View
from tasks.events.recording import name_of
from tasks.finding import find_task


class WatchOutput(serializers.Serializer):
    watching = serializers.BooleanField(help_text="Whether you watch it now.")
    watchers = serializers.ListField(child=serializers.CharField(), help_text="Who watches it: slugs or usernames.")


class WatchView(View):
    @operation(
        "notifications",
        "watch_task",
        "Watch a task",
        "You are notified when its status changes or somebody writes in it. Whoever created it, has it, wrote in it or "
        "was mentioned there watches it without asking. Repeating it changes nothing.",
        request=None,
        responses=WatchOutput,
        response_example={"watching": True, "watchers": ["ada", "atlas"]},
    )
    def put(self, request: Request, ref: str) -> Response:
        return self._choose(ref, watching=True)

    @operation(
        "notifications",
        "unwatch_task",
        "Stop watching a task",
        "What concerns you by itself, as being assigned, you are told anyway. Repeating it changes nothing.",
        request=None,
        responses={200: WatchOutput},
        response_example={"watching": False, "watchers": ["ada"]},
    )
    def delete(self, request: Request, ref: str) -> Response:
        return self._choose(ref, watching=False)

    def _choose(self, ref: str, *, watching: bool) -> Response:
        task = find_task(self.actor, ref)
        choose_watch(user=self.actor, task=task, watching=watching)
        watchers: list[Any] = [name_of(user) for user in watching_members(task)]
        return Response({"watching": watching, "watchers": watchers})
