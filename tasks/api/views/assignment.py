"""Automatic assignment: who could do a task, offering it, declining it, and why it was decided so."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tasks.actions.offering import decline_task
from tasks.api import docs, inputs
from tasks.api.assignment_output import CandidatesOutput, DecisionOutput, candidates_output, decision_output
from tasks.api.outputs import each
from tasks.api.task_output import TaskOutput
from tasks.api.views.base import LIST_QUERY_NAMES, ListView, View
from tasks.assignment.dispatcher import auto_assign, preview
from tasks.models import AssignmentDecision
from tasks.permissions import require


class CandidatesView(View):
    """A dry run: nothing is written."""

    @extend_schema(responses=CandidatesOutput, **docs.CANDIDATES)
    def get(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        require(self.actor, "assign", task)
        return Response(candidates_output(preview([task])[0]))


class AutoAssignView(View):
    @extend_schema(request=None, responses=DecisionOutput, **docs.AUTO_ASSIGN)
    def post(self, request: Request, ref: str) -> Response:
        return Response(decision_output(auto_assign(actor=self.actor, task=self.find_task(ref))))


class DeclineView(View):
    @extend_schema(request=inputs.DeclineInput, responses=TaskOutput, **docs.DECLINE)
    def post(self, request: Request, ref: str) -> Response:
        task = self.find_task(ref)
        reason = self.read(inputs.DeclineInput)["reason"]
        return self.show_task(decline_task(actor=self.actor, task=task, reason=reason))


class DecisionsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"at": "pk"}
    default_ordering = "-at"

    @extend_schema(responses=DecisionOutput(many=True), **docs.DECISIONS)
    def get(self, request: Request, ref: str) -> Response:
        decisions = AssignmentDecision.objects.filter(task=self.find_task(ref)).select_related("agent")
        return self.show_page(decisions, each(decision_output))
