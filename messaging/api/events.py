"""Events over HTTP: a page after a cursor, or a wait for the next ones."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.api import event_schema  # noqa: F401 - describes EventOutput
from messaging.stream.waiting import readers_room
from taskproject.api.operations import operation
from taskproject.api.views import View
from taskproject.api.waiting import waiting_of
from taskproject.errors import Invalid
from taskproject.reach import caller_of
from tasks.events.narrowing import narrowing_of
from tasks.events.reading import START, Cursor, event_output, first_kept, present_cursor, read_events, require_kept

LIMIT, DEFAULT_LIMIT, WAIT = 1000, 100, 30
PARAMETERS = {
    "after": "A cursor. Default: from the oldest event kept; `now`: return only the current cursor.",
    "project": "Key of a project.",
    "task": "Ref of a task.",
    "kinds": "Comma-separated kinds, such as `task.assigned,task.status_changed`. The schema"
    " `EventOutput` lists all; an unknown one is refused with the nearest.",
    "limit": f"At most {LIMIT}; {DEFAULT_LIMIT} by default.",
    "wait": f"Seconds to wait for the next event, at most {WAIT}. One caller may have 100 calls waiting; more get 429.",
}
TASK_PARAMETERS = ("after", "kinds", "limit", "wait")


class EventOutput(serializers.Serializer):
    """An immutable fact. ``id`` only gives the order; follow the cursor."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    project = serializers.CharField()
    task = serializers.CharField(allow_null=True)
    agent = serializers.CharField(allow_null=True, help_text="The agent of the run or assignment.")
    actor = serializers.CharField(allow_null=True, help_text="Who did it; null for the engine.")
    data = serializers.DictField()  # type: ignore[assignment]  # DRF has a method of that name


class EventsOutput(serializers.Serializer):
    events = EventOutput(many=True)
    cursor = serializers.CharField(help_text="Send it as `after` next time.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _number(params: Any, name: str, *, default: int, least: int, most: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if not _is_number(text) or not least <= int(text) <= most:
        raise Invalid({name: f"Must be a number from {least} to {most}."})
    return int(text)


def _parameters(*names: str) -> list[OpenApiParameter]:
    numbers = ("limit", "wait")
    return [
        OpenApiParameter(name, OpenApiTypes.INT if name in numbers else OpenApiTypes.STR, description=PARAMETERS[name])
        for name in names
    ]


class EventsView(View):
    query_names = tuple(PARAMETERS)

    @operation(
        "events",
        "list_events",
        "Events after a cursor",
        "The stream as pages; a reader that follows ``cursor`` misses nothing and reads nothing twice.",
        parameters=_parameters(*PARAMETERS),
        responses=EventsOutput,
        problems=[410],
    )
    def get(self, request: Request) -> Response:
        return self.answer(request)

    def answer(self, request: Request, ref: str | None = None) -> Response:
        """The requested page; with ``ref``, of that task alone."""
        params = request.query_params
        limit = _number(params, "limit", default=DEFAULT_LIMIT, least=1, most=LIMIT)
        wait = _number(params, "wait", default=0, least=0, most=WAIT)
        narrowing = narrowing_of(
            self.actor, project=params.get("project"), task=ref or params.get("task"), kinds=params.get("kinds", "")
        )
        text = params.get("after", "")
        if text == "now":
            return Response({"events": [], "cursor": str(present_cursor())})
        waiting = waiting_of(request.META) if wait else None
        seat = readers_room.seat(self.actor, narrowing, waiting.seat) if waiting else None
        if seat and seat.cursor:
            cursor = seat.cursor
        elif ref:
            # The history of one task is complete, however long ago it began.
            cursor = Cursor.parse(text) if text else START
        else:
            cursor = Cursor.parse(text) if text else first_kept()
            require_kept(cursor)
        events, cursor = read_events(user=self.actor, after=cursor, limit=limit, narrowing=narrowing)
        if waiting and seat and not events:
            seat.cursor = cursor
            waiting.ask(seat, seconds=wait, caller=caller_of(self.actor))
        return Response({"events": [event_output(event) for event in events], "cursor": str(cursor)})


class TaskEventsView(EventsView):
    query_names = TASK_PARAMETERS

    @operation(
        "events",
        "list_task_events",
        "Events of one task",
        "The history of one task.",
        parameters=_parameters(*TASK_PARAMETERS),
        responses=EventsOutput,
        problems=[410],
    )
    def get(self, request: Request, ref: str) -> Response:  # type: ignore[override]
        return self.answer(request, ref)
