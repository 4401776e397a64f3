"""Follow-ups: what agents propose with their results, and what managers make of it."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.actions.follow_ups import accept_follow_up, dismiss_follow_up
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.api.tasks.output import PRIORITY_NAMES, SkillLevel
from tasks.events.recording import name_of
from tasks.finding import find_follow_up, find_task
from tasks.models import FollowUp, FollowUpState
from tasks.verbs import catalogue

FOLLOW_UP_EXAMPLE = {
    "id": 3,
    "task": "OPS-42",
    "run_number": 2,
    "agent": "atlas",
    "title": "Rotate the backup keys as well",
    "description": "",
    "priority": "normal",
    "required_skills": [],
    "state": "accepted",
    "created": "OPS-57",
    "created_at": "2026-11-22T10:10:00Z",
    "ended_at": "2026-11-22T10:40:00Z",
    "decided_by": "ada",
    "note": "",
}


class FollowUpOutput(serializers.Serializer):
    """A task that a run proposed. Its texts are untrusted."""

    id = serializers.IntegerField()
    task = serializers.CharField(source="task.ref", help_text="Ref of the task with whose result it came.")
    run_number = serializers.IntegerField(source="run.number")
    agent = serializers.CharField(source="run.agent.slug")
    title = serializers.CharField()
    description = serializers.CharField()
    priority = serializers.SerializerMethodField()
    required_skills = SkillLevel(many=True)
    state = serializers.ChoiceField(
        FollowUpState.choices, help_text="`held` until the result is approved; `open` waits for a manager."
    )
    created = serializers.SerializerMethodField(help_text="Ref of the task that it became.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.SerializerMethodField(help_text="Null if it became a task by itself.")
    note = serializers.CharField()

    def get_priority(self, follow_up: FollowUp) -> str:
        return PRIORITY_NAMES[follow_up.priority]

    def get_created(self, follow_up: FollowUp) -> str | None:
        return follow_up.created.ref if follow_up.created else None

    def get_decided_by(self, follow_up: FollowUp) -> str | None:
        return name_of(follow_up.decided_by) or None


class TaskFollowUpsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"id": "pk"}

    @operation("tasks", "list_task_follow_ups", "Follow-ups of a task", responses=FollowUpOutput(many=True))
    def get(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        rows = FollowUp.objects.filter(task=task).select_related(
            "task__project", "run__agent", "created__project", "decided_by__agent"
        )
        return self.show_each(rows, FollowUpOutput)


class AcceptFollowUpView(View):
    @operation(
        catalogue.ACCEPT_FOLLOW_UP.tag,
        catalogue.ACCEPT_FOLLOW_UP.name,
        summary_of(catalogue.ACCEPT_FOLLOW_UP, "a task"),
        description_of(catalogue.ACCEPT_FOLLOW_UP),
        request=None,
        responses=FollowUpOutput,
        response_example=FOLLOW_UP_EXAMPLE,
    )
    def post(self, request: Request, id: str) -> Response:
        follow_up = find_follow_up(self.actor, int(id))
        return Response(shown(FollowUpOutput, accept_follow_up(actor=self.actor, follow_up=follow_up)))


class DismissFollowUpView(View):
    @operation(
        catalogue.DISMISS_FOLLOW_UP.tag,
        catalogue.DISMISS_FOLLOW_UP.name,
        summary_of(catalogue.DISMISS_FOLLOW_UP, "a task"),
        description_of(catalogue.DISMISS_FOLLOW_UP),
        request=input_of(catalogue.DISMISS_FOLLOW_UP),
        responses=FollowUpOutput,
        request_example={"note": "Already planned."},
    )
    def post(self, request: Request, id: str) -> Response:
        values: dict[str, Any] = self.read(input_of(catalogue.DISMISS_FOLLOW_UP))
        follow_up = find_follow_up(self.actor, int(id))
        return Response(shown(FollowUpOutput, dismiss_follow_up(actor=self.actor, follow_up=follow_up, **values)))
