"""Claiming tasks and starting them, and waiting for one to claim."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Integer, PlainText, StrictSerializer
from taskproject.api.views import View
from tasks.actions import claims
from tasks.actions.names import agents_named
from tasks.api.fields import LeaseSeconds
from tasks.api.runs import RUN_EXAMPLE, RunOutput, run_outputs
from tasks.finding import find_task
from tasks.models import Project
from tasks.unread import count_unread
from tasks.waiting import Places, wait_for_work

#: The name under which ``taskproject.http.bridge`` says whether the client went away.
CLIENT_GONE = "taskproject.client_gone"
RETRY_AFTER = {"at_capacity": 10, "paused": 60, "no_project": 60, "no_ready_task": 5}


class ClaimInput(StrictSerializer):
    lease_seconds = LeaseSeconds()


class ClaimNextInput(ClaimInput):
    projects = serializers.ListField(
        child=PlainText(allow_blank=False, max_length=12), required=False, max_length=100, help_text="Keys."
    )
    limit = Integer(min_value=1, max_value=20, default=1)
    wait_seconds = Integer(min_value=0, max_value=30, default=0)


class StartInput(StrictSerializer):
    agent = PlainText(allow_blank=False, max_length=60, required=False, help_text="Another person; staff only.")


class ClaimedOutput(serializers.Serializer):
    runs = RunOutput(many=True)
    reason = serializers.ChoiceField(
        ["at_capacity", "paused", "no_project", "no_ready_task"], allow_null=True, help_text="Why there is none."
    )
    retry_after_seconds = serializers.IntegerField(allow_null=True)


class ClaimNextView(View):
    """Claims what the caller should do next, waiting for it where asked to.

    The wait holds a thread, so only so many callers may wait at once; the others are answered at once.
    """

    places = Places(most=settings.HTTP_WAITING)

    @classmethod
    def wait_before_transaction(cls, request: HttpRequest, user: User) -> None:
        """Called by the idempotency layer: nobody waits inside its transaction."""
        view = cls()
        view.setup(request)
        view.request = view.initialize_request(request)
        view.request.user = user
        try:
            fields = view.read(ClaimNextInput)
            view._wait(claims.projects_to_work_in(user, fields.get("projects")), _deadline(fields))
        except Exception:  # noqa: S110 - the view meets the same error and answers it
            pass

    @operation(
        "work",
        "claim_next",
        "Claim what I should do next",
        "First what is assigned to you, then what the projects let you pull; by priority, due date and age. "
        "With `wait_seconds` the call waits for work. No work is no error: `runs` is empty and `reason` says why.",
        request=ClaimNextInput,
        responses=ClaimedOutput,
        request_example={"limit": 1, "wait_seconds": 20},
        response_example={"runs": [RUN_EXAMPLE], "reason": None, "retry_after_seconds": None},
    )
    def post(self, request: Request) -> Response:
        fields = self.read(ClaimNextInput)
        deadline = _deadline(fields)
        projects = claims.projects_to_work_in(self.actor, fields.get("projects"))
        while True:
            claimed = claims.claim_next(
                actor=self.actor,
                projects=projects,
                limit=fields["limit"],
                lease_seconds=fields.get("lease_seconds"),
            )
            if claimed.runs or claimed.reason != "no_ready_task" or connection.in_atomic_block:
                break
            if not self._wait(projects, deadline):
                break
        reason = claimed.reason
        return Response(
            {
                "runs": run_outputs(claimed.runs, unread=count_unread(self.actor)) if claimed.runs else [],
                "reason": reason,
                "retry_after_seconds": RETRY_AFTER[reason] if reason else None,
            }
        )

    def _wait(self, projects: list[Project], deadline: float) -> bool:
        """Whether there is something to claim now; waits for it until ``deadline``, if there is a place to wait."""
        if time.monotonic() >= deadline or not projects:
            return False
        with self.places.taken() as taken:
            if not taken:
                return False
            return wait_for_work(
                lambda: claims.has_work_for(actor=self.actor, projects=projects),
                project_ids=[project.pk for project in projects],
                deadline=deadline,
                gone=self._client_gone,
            )

    def _client_gone(self) -> bool:
        """Whether nobody waits for the answer any more: what is claimed for nobody is lost until its lease ends.

        The server says so where it can (``taskproject.http.bridge``).
        """
        return bool(self.request.META.get(CLIENT_GONE, bool)())


def _deadline(fields: dict[str, Any]) -> float:
    return time.monotonic() + fields["wait_seconds"]


class ClaimView(View):
    @operation(
        "work",
        "claim_task",
        "Claim this task",
        "Repeating it is safe for the holder: the same run comes back, its lease renewed.",
        request=ClaimInput,
        responses=RunOutput,
        request_example={"lease_seconds": 600},
        response_example=RUN_EXAMPLE,
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        run = claims.claim_task(actor=self.actor, task=task, **self.read(ClaimInput))
        return Response(run_outputs([run], unread=count_unread(self.actor))[0])


class StartView(View):
    @operation(
        "work",
        "start_task",
        "Start a task as a person",
        "For yourself or, as staff, for another person. The run has no lease.",
        request=StartInput,
        responses=RunOutput,
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        slug = self.read(StartInput).get("agent")
        agent = agents_named([slug], project=task.project, field="agent")[0] if slug else None
        run = claims.start_task(actor=self.actor, task=task, agent=agent)
        return Response(run_outputs([run], unread=count_unread(self.actor))[0])
