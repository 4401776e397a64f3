"""The heartbeat of a run, which may wait for what its holder is told."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import View
from taskproject.api.waiting import waiting_of
from taskproject.reach import caller_of
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.api.runs import BRIEF_EXAMPLE, RunBriefOutput, run_brief
from tasks.replies import count_unread
from tasks.using.calling import use
from tasks.verbs.catalogue import HEARTBEAT
from tasks.waiting.directives import holders_room


class HeartbeatView(View):
    @operation(
        HEARTBEAT.tag,
        HEARTBEAT.key,
        summary_of(HEARTBEAT),
        description_of(HEARTBEAT),
        request=input_of(HEARTBEAT),
        responses=RunBriefOutput,
        request_example=HEARTBEAT.example,
        response_example=BRIEF_EXAMPLE,
    )
    def post(self, request: Request, id: Any) -> Response:
        run_id = UUID(str(id))
        values = self.read(input_of(HEARTBEAT))
        waiting = waiting_of(request.META) if values["wait_seconds"] else None
        seat = holders_room.seat(run_id, waiting.seat) if waiting else None
        run = use(HEARTBEAT, actor=self.actor, run_id=run_id, values=values)
        brief = run_brief(run, holder=self.actor, unread=count_unread(self.actor))
        if waiting and seat and not brief["directives"]:
            # The lease must not end while its holder waits, and is renewed when the wait is over.
            seconds = min(values["wait_seconds"], (run.lease_seconds or values["wait_seconds"] * 2) / 2)
            waiting.ask(seat, seconds=seconds, caller=caller_of(self.actor), answer_stands=False)
        return Response(brief)
