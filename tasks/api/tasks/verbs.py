"""The verbs of staff and reviewers on one task: assign, depend, judge, end, reopen, take back."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer
from taskproject.api.views import View
from tasks.actions import assignments, dependencies, lifecycle, reviews
from tasks.actions.names import agents_named, tasks_named
from tasks.api.tasks.output import TaskOutput, task_response
from tasks.finding import find_task


class AgentsInput(StrictSerializer):
    agents = serializers.ListField(child=PlainText(allow_blank=False, max_length=60), allow_empty=False, max_length=100)
    note = PlainText(max_length=500, required=False, default="")


class NoteInput(StrictSerializer):
    note = PlainText(max_length=10_000, required=False, default="")


class DependsOnInput(StrictSerializer):
    depends_on = serializers.ListField(
        child=PlainText(allow_blank=False, max_length=40), allow_empty=False, max_length=200
    )


class AssignView(View):
    @operation(
        "tasks",
        "assign_task",
        "Assign agents",
        "Managers only.",
        request=AgentsInput,
        responses=TaskOutput,
        request_example={"agents": ["atlas"]},
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        fields = self.read(AgentsInput)
        agents = agents_named(fields["agents"], project=task.project)
        return task_response(assignments.assign_task(actor=self.actor, task=task, agents=agents, note=fields["note"]))


class UnassignView(View):
    @operation(
        "tasks",
        "unassign_task",
        "Unassign agents",
        "Managers only. The run of an agent that holds the task is revoked.",
        request=AgentsInput,
        responses=TaskOutput,
        request_example={"agents": ["atlas"]},
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        fields = self.read(AgentsInput)
        agents = agents_named(fields["agents"], project=task.project)
        return task_response(assignments.unassign_task(actor=self.actor, task=task, agents=agents, note=fields["note"]))


class DependenciesView(View):
    @operation(
        "tasks",
        "add_dependencies",
        "Let a task wait for others",
        request=DependsOnInput,
        responses=TaskOutput,
        request_example={"depends_on": ["OPS-1"]},
    )
    def post(self, request: Request, ref: str) -> Response:
        return self._change(ref, dependencies.add_dependencies)

    @operation(
        "tasks",
        "remove_dependencies",
        "Let a task wait no longer for others",
        request=DependsOnInput,
        responses=TaskOutput,
        request_example={"depends_on": ["OPS-1"]},
    )
    def delete(self, request: Request, ref: str) -> Response:
        return self._change(ref, dependencies.remove_dependencies)

    def _change(self, ref: str, verb: Any) -> Response:
        task = find_task(self.actor, ref)
        named = self.read(DependsOnInput)["depends_on"]
        others = tasks_named(named, project=task.project, field="depends_on")
        return task_response(verb(actor=self.actor, task=task, depends_on=others))


class ApproveView(View):
    @operation(
        "review",
        "approve_task",
        "Approve the result in review",
        "Staff and reviewers, never the author.",
        request=NoteInput,
        responses=TaskOutput,
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        note = self.read(NoteInput)["note"]
        return task_response(reviews.approve_task(actor=self.actor, task=task, note=note).task)


class RequestChangesView(View):
    @operation(
        "review",
        "request_changes",
        "Send the result back with a note",
        "Staff and reviewers, never the author, who stays assigned and gets the note with the next run.",
        request=NoteInput,
        responses=TaskOutput,
        request_example={"note": "Please add a test."},
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        note = self.read(NoteInput)["note"]
        return task_response(reviews.request_changes(actor=self.actor, task=task, note=note))


class CancelView(View):
    @operation(
        "tasks",
        "cancel_task",
        "Cancel a task",
        "Managers only; an active run ends.",
        request=NoteInput,
        responses=TaskOutput,
        request_example={"note": "Obsolete."},
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        note = self.read(NoteInput)["note"]
        return task_response(lifecycle.cancel_task(actor=self.actor, task=task, note=note))


class ReopenView(View):
    @operation(
        "tasks",
        "reopen_task",
        "Reopen an ended task",
        "Managers only; its history stays.",
        request=NoteInput,
        responses=TaskOutput,
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        note = self.read(NoteInput)["note"]
        return task_response(lifecycle.reopen_task(actor=self.actor, task=task, note=note))


class ReleaseView(View):
    @operation(
        "tasks",
        "release_task",
        "Take a task back from its holder",
        "Managers only. It costs no attempt.",
        request=NoteInput,
        responses=TaskOutput,
    )
    def post(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        note = self.read(NoteInput)["note"]
        return task_response(lifecycle.release_task(actor=self.actor, task=task, note=note))
