"""Claiming and starting tasks, and waiting for one to claim."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Integer
from taskproject.api.views import View
from taskproject.api.waiting import waiting_of
from taskproject.errors import DomainError
from taskproject.reach import caller_of
from tasks.actions import claims
from tasks.api.inputs import description_of, input_of
from tasks.api.runs import RUN_EXAMPLE, RunOutput, run_outputs
from tasks.models import Project
from tasks.permissions import agent_of
from tasks.replies import count_unread
from tasks.verbs import catalogue
from tasks.waiting.work import WorkSeat, work_room

#: Why there is nothing to claim, and after how many seconds to call again.
RETRY_AFTER = {"at_capacity": 10, "at_limit": 10, "paused": 60, "no_project": 60, "no_ready_task": 5}


class ClaimNextInput(input_of(catalogue.CLAIM_NEXT)):  # type: ignore[misc]
    wait_seconds = Integer(min_value=0, max_value=30, default=0)


class ClaimedOutput(serializers.Serializer):
    runs = RunOutput(many=True)
    reason = serializers.ChoiceField(list(RETRY_AFTER), allow_null=True, help_text="Why there is none.")
    retry_after_seconds = serializers.IntegerField(allow_null=True)


class ClaimNextView(View):
    """Claims what the caller should do next, or lets the request wait for it if requested."""

    @classmethod
    def wait_before_transaction(cls, request: HttpRequest, user: User) -> bool:
        """Whether the request should wait now; called by the idempotency layer, whose transaction must not wait.

        Raises ``TooManyRequests``.
        """
        waiting = waiting_of(request.META)
        if waiting is None:
            return False
        view = cls()
        view.setup(request)
        view.request = view.initialize_request(request)
        view.request.user = user
        try:
            fields = view.read(ClaimNextInput)
            projects = claims.projects_to_work_in(user, fields.get("projects"))
            seat = view._seat(fields, projects, waiting.seat)
            if seat is None:
                return False
            if not view._continues_waiting(seat) and not claims.finds_nothing_ready(actor=user, projects=projects):
                return False
        except (DomainError, APIException):
            return False  # The view gets the same error and answers it.
        # An answer under a key is stored, which only a run inside the transaction does.
        return waiting.ask(seat, seconds=fields["wait_seconds"], caller=caller_of(user), answer_stands=False)

    @operation(
        catalogue.CLAIM_NEXT.tag,
        "claim_next",
        "Claim what I should do next",
        f"{description_of(catalogue.CLAIM_NEXT)} With `wait_seconds` the call waits for work; one caller may have 100 "
        "calls waiting, and more get 429. If there is none, "
        "`runs` is empty and `reason` says why.",
        request=ClaimNextInput,
        responses=ClaimedOutput,
        request_example={"limit": 1, "wait_seconds": 20},
        response_example={"runs": [RUN_EXAMPLE], "reason": None, "retry_after_seconds": None},
    )
    def post(self, request: Request) -> Response:
        fields = self.read(ClaimNextInput)
        projects: list[Project] | None = None
        # Where the caller works is read with the claim, unless the request has to know it.
        if fields.get("projects") is not None or fields["wait_seconds"]:
            projects = claims.projects_to_work_in(self.actor, fields.get("projects"))
        waiting = waiting_of(request.META)
        seat = self._seat(fields, projects, waiting.seat) if waiting else None
        wait = {"seconds": fields["wait_seconds"], "caller": caller_of(self.actor)}
        if waiting and seat and self._continues_waiting(seat) and waiting.ask(seat, **wait):
            return self._show(claims.Claimed(reason=seat.reason))
        claimed = claims.claim_next(
            actor=self.actor,
            projects=projects,
            limit=fields["limit"],
            lease_seconds=fields.get("lease_seconds"),
        )
        if waiting and seat and claimed.reason in ("no_ready_task", "at_limit"):
            seat.reason = claimed.reason
            waiting.ask(seat, **wait)
        return self._show(claimed)

    def _show(self, claimed: claims.Claimed) -> Response:
        reason = claimed.reason
        return Response(
            {
                "runs": run_outputs(claimed.runs, holder=self.actor, unread=count_unread(self.actor))
                if claimed.runs
                else [],
                "reason": reason,
                "retry_after_seconds": RETRY_AFTER[reason] if reason else None,
            }
        )

    def _continues_waiting(self, seat: WorkSeat) -> bool:
        """Whether the caller's wait just ended without work and continues: the room has seen what it would look for."""
        return seat.has_looked and claims.may_take_more(actor=self.actor)

    def _seat(self, fields: dict[str, Any], projects: list[Project] | None, kept: WorkSeat | None) -> WorkSeat | None:
        """A place to wait for work, taken before looking for it; None if the caller does not wait."""
        agent = agent_of(self.actor)
        if not fields["wait_seconds"] or not projects or agent is None:
            return None
        return work_room.seat(agent=agent, projects=projects, limit=fields["limit"], kept=kept)
