"""Work: claiming and starting tasks, and what the holder of a run does."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.problems import problem_of
from tasks.actions import claims, runs
from tasks.actions.names import agents_named
from tasks.api import docs, inputs, outputs
from tasks.api.task_output import TaskOutput, task_outputs
from tasks.api.views.base import View, etag_of
from tasks.errors import DomainError
from tasks.models import Project
from tasks.unread import count_unread
from tasks.waiting import Places, wait_for_work

#: The name under which ``taskproject.server.bridge`` says whether the client went away.
CLIENT_GONE = "taskproject.client_gone"
RETRY_AFTER = {"at_capacity": 10, "paused": 60, "no_project": 60, "no_ready_task": 5}


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
            fields = view.read(inputs.ClaimNextInput)
            view._wait(claims.projects_to_work_in(user, fields.get("projects")), _deadline(fields))
        except Exception:  # noqa: S110 - the view meets the same error and answers it
            pass

    @extend_schema(request=inputs.ClaimNextInput, responses=outputs.ClaimedOutput, **docs.CLAIM_NEXT)
    def post(self, request: Request) -> Response:
        fields = self.read(inputs.ClaimNextInput)
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
                "runs": outputs.run_outputs(claimed.runs, unread=count_unread(self.actor)) if claimed.runs else [],
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

        The server says so where it can (``taskproject.server.bridge``).
        """
        return bool(self.request.META.get(CLIENT_GONE, bool)())


def _deadline(fields: dict[str, Any]) -> float:
    return time.monotonic() + fields["wait_seconds"]


class ClaimView(View):
    @extend_schema(request=inputs.ClaimInput, responses=outputs.RunOutput, **docs.CLAIM)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        run = claims.claim_task(actor=self.actor, task=task, **self.read(inputs.ClaimInput))
        return Response(outputs.run_outputs([run], unread=count_unread(self.actor))[0])


class StartView(View):
    @extend_schema(request=inputs.StartInput, responses=outputs.RunOutput, **docs.START)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        slug = self.read(inputs.StartInput).get("agent")
        agent = agents_named([slug], project=task.project, field="agent")[0] if slug else None
        run = claims.start_task(actor=self.actor, task=task, agent=agent)
        return Response(outputs.run_outputs([run], unread=count_unread(self.actor))[0])


class HeartbeatView(View):
    @extend_schema(request=inputs.HeartbeatInput, responses=outputs.RunBriefOutput, **docs.HEARTBEAT)
    def post(self, request: Request, id: UUID) -> Response:
        run = runs.heartbeat_run(actor=self.actor, run_id=id, **self.read(inputs.HeartbeatInput))
        return Response(outputs.run_brief(run, unread=count_unread(self.actor)))


class ProgressView(View):
    @extend_schema(request=inputs.ProgressInput, responses=outputs.RunBriefOutput, **docs.PROGRESS)
    def post(self, request: Request, id: UUID) -> Response:
        run = runs.progress_run(actor=self.actor, run_id=id, **self.read(inputs.ProgressInput))
        return Response(outputs.run_brief(run, unread=count_unread(self.actor)))


class CompleteView(View):
    @extend_schema(request=inputs.CompleteInput, responses=outputs.FinishedOutput, **docs.COMPLETE)
    def post(self, request: Request, id: UUID) -> Response:
        finished = runs.complete_run(actor=self.actor, run_id=id, **self.read(inputs.CompleteInput))
        output = task_outputs([finished.task])[0]
        return Response({"task": output, "unblocked": finished.unblocked}, headers={"ETag": etag_of(output)})


class CompleteManyView(View):
    @extend_schema(request=inputs.CompleteManyInput, responses=outputs.ManyFinishedOutput, **docs.COMPLETE_MANY)
    def post(self, request: Request) -> Response:
        items = self.read(inputs.CompleteManyInput)["runs"]
        asked = [{("run_id" if name == "id" else name): value for name, value in item.items()} for item in items]
        outcomes = runs.complete_runs(actor=self.actor, items=asked)
        shown = iter(task_outputs([done.task for done in outcomes if isinstance(done, runs.Finished)]))
        return Response(
            {"results": [self._told(item, done, shown) for item, done in zip(items, outcomes, strict=True)]}
        )

    @staticmethod
    def _told(
        item: dict[str, Any], done: runs.Finished | DomainError, shown: Iterator[dict[str, Any]]
    ) -> dict[str, Any]:
        if isinstance(done, DomainError):
            return {"id": str(item["id"]), "problem": problem_of(done)}
        return {"id": str(item["id"]), "task": next(shown), "unblocked": done.unblocked}


class FailView(View):
    @extend_schema(request=inputs.FailInput, responses=TaskOutput, **docs.FAIL)
    def post(self, request: Request, id: UUID) -> Response:
        return self.show_task(runs.fail_run(actor=self.actor, run_id=id, **self.read(inputs.FailInput)))


class RunReleaseView(View):
    @extend_schema(request=inputs.ReleaseInput, responses=TaskOutput, **docs.RELEASE)
    def post(self, request: Request, id: UUID) -> Response:
        return self.show_task(runs.release_run(actor=self.actor, run_id=id, **self.read(inputs.ReleaseInput)))
