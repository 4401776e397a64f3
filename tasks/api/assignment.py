"""Automatic assignment: who could do a task, offering it, declining it, and the reasons for decisions."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View
from tasks.assignment.dispatcher import preview
from tasks.finding import find_task
from tasks.matching import words
from tasks.matching.matching import Matching, Row
from tasks.matching.records import record_of
from tasks.models import AssignmentDecision, DecisionMode
from tasks.permissions import require


class CandidateSkill(serializers.Serializer):
    skill = serializers.CharField()
    has = serializers.IntegerField()
    needs = serializers.IntegerField()


class CandidateOutput(serializers.Serializer):
    agent = serializers.CharField()
    eligible = serializers.BooleanField()
    excluded_by = serializers.ListField(
        child=serializers.CharField(),
        help_text="disabled, paused, paused_in_project, silent, off_hours, missing_skill, at_capacity, at_limit, "
        "failed_before, declined_before, let_it_lapse, gave_it_back, taken_off, sole_reviewer",
    )
    score = serializers.FloatField(allow_null=True)
    terms = serializers.DictField(child=serializers.FloatField(), help_text="The terms of the score.")
    left = serializers.IntegerField(help_text="Free slots not taken by other tasks of the same matching.")
    tie = serializers.ListField(
        child=serializers.FloatField(), help_text="Breaks ties between equal scores: the lowest comes first."
    )
    load = serializers.IntegerField()
    capacity = serializers.IntegerField()
    skills = CandidateSkill(many=True)
    words = serializers.CharField()


class CandidatesOutput(serializers.Serializer):
    """The agents that could do the task now, best first. Nothing was written."""

    policy = serializers.CharField()
    policy_version = serializers.CharField()
    chosen = serializers.CharField(allow_null=True)
    margin = serializers.FloatField(allow_null=True)
    candidates = CandidateOutput(many=True)


class DecisionOutput(serializers.Serializer):
    """Why the task was offered to this agent, or to nobody."""

    at = serializers.DateTimeField()
    mode = serializers.ChoiceField(DecisionMode.choices)
    policy = serializers.CharField()
    policy_version = serializers.CharField()
    agent = serializers.CharField(allow_null=True, help_text="null: nobody")
    score = serializers.FloatField(allow_null=True)
    margin = serializers.FloatField(allow_null=True, help_text="The lead over the runner-up's score.")
    terms = serializers.DictField(child=serializers.FloatField())
    candidates = CandidateOutput(many=True)
    others = serializers.DictField(help_text="Agents beyond the first 25, by what became of them.")
    words = serializers.ListField(child=serializers.CharField())


def _in_words(row: Row) -> dict[str, Any]:
    return {**row, "words": words.candidate(row)}


def candidates_output(matching: Matching) -> dict[str, Any]:
    """The only task of ``matching``, with every agent of its project."""
    task = matching.snapshot.tasks[0]
    agents = [n for n, agent in enumerate(matching.snapshot.agents) if agent.belongs_to(task.project)]
    record = record_of(matching, 0)
    return {
        "policy": matching.policy.name,
        "policy_version": matching.policy.version,
        "chosen": record.slug,
        "margin": record.margin,
        "candidates": [_in_words(row) for row in matching.rows(0, agents=agents)],
    }


def decision_output(decision: AssignmentDecision) -> dict[str, Any]:
    """One decision, with its agent loaded."""
    return {
        "at": decision.at,
        "mode": decision.mode,
        "policy": decision.policy,
        "policy_version": decision.policy_version,
        "agent": decision.agent.slug if decision.agent else None,
        "score": decision.score,
        "margin": decision.margin,
        "terms": decision.terms,
        "candidates": [_in_words(row) for row in decision.candidates],
        "others": decision.others,
        "words": words.sentences(decision.candidates, decision.others),
    }


class CandidatesView(View):
    """A dry run: nothing is written."""

    @operation(
        "assignment",
        "list_candidates",
        "Who could do a task",
        "Managers only. Every agent of the project with its score, or with what excludes it. Nothing is written.",
        responses=CandidatesOutput,
    )
    def get(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        require(self.actor, "assign", task)
        return Response(candidates_output(preview([task])[0]))


class DecisionsView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"at": "pk"}
    default_ordering = "-at"

    @operation(
        "assignment",
        "list_decisions",
        "Why a task was assigned as it was",
        "Decisions of automatic assignment, the latest first.",
        responses=DecisionOutput(many=True),
    )
    def get(self, request: Request, ref: str) -> Response:
        decisions = AssignmentDecision.objects.filter(task=find_task(self.actor, ref)).select_related("agent")
        return self.show_page(decisions, lambda rows: [decision_output(row) for row in rows])
