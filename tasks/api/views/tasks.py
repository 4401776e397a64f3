"""Tasks as resources: list, create, read, change, delete; their assignees and dependencies; their history."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks.actions import assignments, dependencies, lifecycle, reviews
from tasks.actions import tasks as task_verbs
from tasks.actions.names import agents_named, tasks_named
from tasks.api import docs, inputs, outputs
from tasks.api.filters import TaskFilter
from tasks.api.task_output import TaskOutput, show_tasks, task_outputs, task_rows
from tasks.api.views.base import LIST_QUERY_NAMES, ListView, View, etag_of, read_if_match
from tasks.errors import NotFound, VersionMismatch
from tasks.models import Project, Run, Task


class TasksView(ListView):
    queryset = Task.objects.none()
    filter_backends = (DjangoFilterBackend,)
    filterset_class = TaskFilter
    query_names = (*LIST_QUERY_NAMES, *TaskFilter.base_filters)
    orderings = {
        "created_at": "pk",
        "updated_at": "updated_at",
        "priority": "priority",
        "due_at": "due_order",
    }
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Task]:
        return Task.objects.visible_to(self.actor)

    @extend_schema(responses=TaskOutput(many=True), **docs.TASKS)
    def get(self, request: Request) -> Response:
        return self.show_page(task_rows(self.filter_queryset(self.get_queryset())), show_tasks)

    @extend_schema(request=inputs.TaskInput, responses={201: TaskOutput}, filters=False, **docs.TASK_CREATE)
    def post(self, request: Request) -> Response:
        fields = self.read(inputs.TaskInput)
        project = self.find_project(fields.pop("project"))
        fields["assignees"] = agents_named(fields.get("assignees", ()), project=project, field="assignees")
        fields["depends_on"] = tasks_named(fields.get("depends_on", ()), project=project, field="depends_on")
        fields["parent"] = _parent(fields.get("parent"), project)
        new = task_verbs.NewTask(**fields)
        task = task_verbs.create_task(actor=self.actor, project=project, new=new)
        response = self.show_task(task, status=status.HTTP_201_CREATED)
        response.headers["Location"] = f"/api/v1/tasks/{task.ref}"
        return response


def _parent(ref: str | None, project: Project) -> Task | None:
    return tasks_named([ref], project=project, field="parent")[0] if ref else None


class TaskView(View):
    @extend_schema(responses=TaskOutput, **docs.TASK)
    def get(self, request: Request, ref: str) -> Response:
        response = self.show_output(self.find_task_output(ref))
        if request.headers.get("If-None-Match") == response.headers["ETag"]:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": response.headers["ETag"]})
        return response

    @extend_schema(request=inputs.TaskPatch, responses=TaskOutput, **docs.TASK_PATCH)
    def patch(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        changes: dict[str, Any] = self.read(inputs.TaskPatch)
        if "parent" in changes:
            changes["parent"] = _parent(changes["parent"], task.project)
        try:
            task_verbs.edit_task(actor=self.actor, task=task, changes=changes, expected_version=read_if_match(request))
        except VersionMismatch as mismatch:
            mismatch.data["current"] = task_outputs([task])[0]
            raise
        return self.show_task(task)

    @extend_schema(responses={204: None}, **docs.TASK_DELETE)
    def delete(self, request: Request, ref: str) -> Response:
        task_verbs.delete_task(actor=self.actor, task=self.find_task(ref))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AssignView(View):
    @extend_schema(request=inputs.AgentsInput, responses=TaskOutput, **docs.ASSIGN)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        fields = self.read(inputs.AgentsInput)
        agents = agents_named(fields["agents"], project=task.project)
        return self.show_task(assignments.assign_task(actor=self.actor, task=task, agents=agents, note=fields["note"]))


class UnassignView(View):
    @extend_schema(request=inputs.AgentsInput, responses=TaskOutput, **docs.UNASSIGN)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        fields = self.read(inputs.AgentsInput)
        agents = agents_named(fields["agents"], project=task.project)
        return self.show_task(
            assignments.unassign_task(actor=self.actor, task=task, agents=agents, note=fields["note"])
        )


class DependenciesView(View):
    @extend_schema(request=inputs.DependsOnInput, responses=TaskOutput, **docs.DEPENDENCIES_ADD)
    def post(self, request: Request, ref: str) -> Response:
        return self._change(ref, dependencies.add_dependencies)

    @extend_schema(request=inputs.DependsOnInput, responses=TaskOutput, **docs.DEPENDENCIES_REMOVE)
    def delete(self, request: Request, ref: str) -> Response:
        return self._change(ref, dependencies.remove_dependencies)

    def _change(self, ref: str, verb: Any) -> Response:
        task = self.find_task(ref)
        named = self.read(inputs.DependsOnInput)["depends_on"]
        others = tasks_named(named, project=task.project, field="depends_on")
        return self.show_task(verb(actor=self.actor, task=task, depends_on=others))


class ApproveView(View):
    @extend_schema(request=inputs.NoteInput, responses=TaskOutput, **docs.APPROVE)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        note = self.read(inputs.NoteInput)["note"]
        return self.show_task(reviews.approve_task(actor=self.actor, task=task, note=note).task)


class RequestChangesView(View):
    @extend_schema(request=inputs.NoteInput, responses=TaskOutput, **docs.REQUEST_CHANGES)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        note = self.read(inputs.NoteInput)["note"]
        return self.show_task(reviews.request_changes(actor=self.actor, task=task, note=note))


class CancelView(View):
    @extend_schema(request=inputs.NoteInput, responses=TaskOutput, **docs.CANCEL)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        note = self.read(inputs.NoteInput)["note"]
        return self.show_task(lifecycle.cancel_task(actor=self.actor, task=task, note=note))


class ReopenView(View):
    @extend_schema(request=inputs.NoteInput, responses=TaskOutput, **docs.REOPEN)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        note = self.read(inputs.NoteInput)["note"]
        return self.show_task(lifecycle.reopen_task(actor=self.actor, task=task, note=note))


class ReleaseView(View):
    @extend_schema(request=inputs.NoteInput, responses=TaskOutput, **docs.TASK_RELEASE)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        note = self.read(inputs.NoteInput)["note"]
        return self.show_task(lifecycle.release_task(actor=self.actor, task=task, note=note))


class TaskRunsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"number": "number"}

    @extend_schema(responses=outputs.PublicRunOutput(many=True), **docs.TASK_RUNS)
    def get(self, request: Request, ref: str) -> Response:
        runs = Run.objects.filter(task=self.find_task(ref)).select_related("agent")
        return self.show_page(runs, outputs.each(outputs.public_run_output))


class AdoptView(View):
    @extend_schema(request=None, responses=outputs.FinishedOutput, **docs.ADOPT)
    def post(self, request: Request, ref: str, number: str) -> Response:
        task = self.find_task(ref)
        run = Run.objects.filter(task=task, number=int(number)).first()
        if run is None:
            raise NotFound(f"{task.ref} has no run {number}.")
        finished = reviews.adopt_late_result(actor=self.actor, run=run)
        output = task_outputs([finished.task])[0]
        return Response({"task": output, "unblocked": finished.unblocked}, headers={"ETag": etag_of(output)})
