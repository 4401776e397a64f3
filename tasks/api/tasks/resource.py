"""Tasks as resources: list, create, read, change, delete."""

from typing import Any, ClassVar

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Choice, Integer, Moment, PlainText, StrictSerializer
from taskproject.api.versions import IF_MATCH, read_if_match
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View
from tasks.actions import tasks as task_verbs
from tasks.actions.names import agents_named, tasks_named
from tasks.api.fields import MOST_SKILLS, Texts
from tasks.api.inputs import DeclaredField, description_of, summary_of
from tasks.api.tasks.filters import TaskFilter, listing_of
from tasks.api.tasks.output import (
    PRIORITIES,
    TASK_EXAMPLE,
    TaskOutput,
    find_task_output,
    output_response,
    show_tasks,
    task_outputs,
    task_response,
)
from tasks.api.tasks.plain import PlainTasks
from tasks.api.tasks.rows import read_tasks
from tasks.errors import VersionMismatch
from tasks.finding import find_project, find_task
from tasks.models import Project, Task
from tasks.verbs import catalogue


class RequiredSkillInput(StrictSerializer):
    skill = PlainText(allow_blank=False, max_length=60)
    min_level = Integer(min_value=1, max_value=5, default=1)


class TaskFields(StrictSerializer):
    """The fields of a task that a request may set."""

    title = DeclaredField(catalogue.TITLE)
    description = DeclaredField(catalogue.DESCRIPTION)
    priority = Choice(list(PRIORITIES), required=False)
    labels = DeclaredField(catalogue.LABELS)
    due_at = Moment(end_of_day=True, required=False, allow_null=True)
    start_after = Moment(required=False, allow_null=True)
    on_hold = Boolean(required=False, help_text="Set aside without a date: not ready until this is false.")
    estimate_minutes = Integer(min_value=0, max_value=2**31 - 1, required=False, allow_null=True)
    required_skills = RequiredSkillInput(many=True, required=False, max_length=MOST_SKILLS)  # type: ignore[call-arg]
    parent = PlainText(  # type: ignore[assignment]  # DRF has a method of that name
        required=False, allow_null=True, help_text="Ref of a task in the same project."
    )
    criteria = DeclaredField(catalogue.CRITERIA)
    max_attempts = Integer(min_value=1, max_value=20, required=False)
    review_required = Boolean(required=False)
    external_id = PlainText(allow_blank=False, max_length=200, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "priority" in attrs:
            attrs["priority"] = PRIORITIES[attrs["priority"]]
        if "required_skills" in attrs:
            attrs["required_skills"] = [(need["skill"], need["min_level"]) for need in attrs["required_skills"]]
        return attrs


class TaskInput(TaskFields):
    """A new task."""

    project = PlainText(allow_blank=False, max_length=12)
    assignees = Texts(required=False, help_text="Slugs; only managers may assign.")
    depends_on = Texts(required=False, help_text="Refs of tasks in the same project.")


class TaskPatch(TaskFields):
    """Changes to a task. Status, assignees and dependencies have their own endpoints."""

    elsewhere: ClassVar[dict[str, str]] = {
        "version": 'Send the version that you read as a header, as in If-Match: "3".',
        "status": "The verbs change it, as in POST /tasks/{ref}/cancel; see /api/v1/docs.",
        "assignees": "Use POST /tasks/{ref}/assign and /tasks/{ref}/unassign.",
        "depends_on": "Use POST and DELETE /tasks/{ref}/dependencies.",
    }

    title = DeclaredField(catalogue.TITLE, required=False)


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

    @operation(
        "tasks",
        "list_tasks",
        "Tasks of my projects",
        "Filters may be combined; separate several values by commas. Days are those of `tz`.",
        responses=TaskOutput(many=True),
    )
    def get(self, request: Request) -> Response:
        # The page's ids first, from the one table: what is read of other rows is read only of those.
        ids: Any = None
        if all(name in LIST_QUERY_NAMES for name in request.query_params):
            ids = PlainTasks(self.actor)
        if ids is None or not ids.serves:
            ids = listing_of(self.actor, request.query_params)
        return self.show_page(ids, lambda rows: show_tasks(read_tasks([row["id"] for row in rows])))

    @operation(
        "tasks",
        "create_task",
        "Create a task",
        "Managers, and other members if the project lets workers create. Only managers may assign.",
        request=TaskInput,
        responses={201: TaskOutput},
        filters=False,
        request_example={
            "project": "OPS",
            "title": "Rotate the signing keys",
            "priority": "high",
            "required_skills": [{"skill": "python", "min_level": 3}],
            "depends_on": ["OPS-1"],
        },
        response_example=TASK_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        fields = self.read(TaskInput)
        project = find_project(self.actor, fields.pop("project"))
        fields["assignees"] = agents_named(fields.get("assignees", ()), project=project, field="assignees")
        fields["depends_on"] = tasks_named(fields.get("depends_on", ()), project=project, field="depends_on")
        fields["parent"] = _parent(fields.get("parent"), project)
        new = task_verbs.NewTask(**fields)
        task = task_verbs.create_task(actor=self.actor, project=project, new=new)
        response = task_response(task, status=status.HTTP_201_CREATED)
        response.headers["Location"] = f"/api/v1/tasks/{task.ref}"
        return response


def _parent(ref: str | None, project: Project) -> Task | None:
    return tasks_named([ref], project=project, field="parent")[0] if ref else None


class TaskView(View):
    @operation(
        "tasks",
        "get_task",
        "One task",
        "The `ETag` is its version.",
        responses=TaskOutput,
        response_example=TASK_EXAMPLE,
    )
    def get(self, request: Request, ref: str) -> Response:
        response = output_response(find_task_output(self.actor, ref))
        if request.headers.get("If-None-Match") == response.headers["ETag"]:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": response.headers["ETag"]})
        return response

    @operation(
        "tasks",
        "patch_task",
        "Change a task",
        "Its creator and managers. With `If-Match`, only if nobody has changed it since.",
        request=TaskPatch,
        responses=TaskOutput,
        request_example={"priority": "urgent", "due_at": "2026-11-27T17:00:00Z"},
        response_example=TASK_EXAMPLE,
        parameters=[IF_MATCH],
        problems=[412],
    )
    def patch(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        changes: dict[str, Any] = self.read(TaskPatch)
        if "parent" in changes:
            changes["parent"] = _parent(changes["parent"], task.project)
        try:
            task_verbs.edit_task(actor=self.actor, task=task, changes=changes, expected_version=read_if_match(request))
        except VersionMismatch as mismatch:
            mismatch.data["current"] = task_outputs([task])[0]
            raise
        return task_response(task)

    @operation(
        catalogue.DELETE.tag,
        "delete_task",
        summary_of(catalogue.DELETE),
        description_of(catalogue.DELETE),
        responses={204: None},
    )
    def delete(self, request: Request, ref: str) -> Response:
        task_verbs.delete_task(actor=self.actor, task=find_task(self.actor, ref))
        return Response(status=status.HTTP_204_NO_CONTENT)
