"""How candidates and decisions are shown."""

from typing import Any

from rest_framework import serializers

from tasks.matching import words
from tasks.matching.matching import Matching, Row
from tasks.matching.records import record_of
from tasks.models import AssignmentDecision, DecisionMode


class CandidateSkill(serializers.Serializer):
    skill = serializers.CharField()
    has = serializers.IntegerField()
    needs = serializers.IntegerField()


class CandidateOutput(serializers.Serializer):
    agent = serializers.CharField()
    eligible = serializers.BooleanField()
    excluded_by = serializers.ListField(
        child=serializers.CharField(),
        help_text="disabled, paused, silent, off_hours, missing_skill, at_capacity, failed_before, declined_before, "
        "let_it_lapse, gave_it_back, taken_off, sole_reviewer",
    )
    score = serializers.FloatField(allow_null=True)
    terms = serializers.DictField(child=serializers.FloatField(), help_text="What the score was made from.")
    left = serializers.IntegerField(help_text="Free slots that no other task of the same matching took.")
    tie = serializers.ListField(
        child=serializers.FloatField(), help_text="Between equal scores the lowest comes first."
    )
    load = serializers.IntegerField()
    capacity = serializers.IntegerField()
    skills = CandidateSkill(many=True)
    words = serializers.CharField()


class CandidatesOutput(serializers.Serializer):
    """Who could do the task now, best first. Nothing was written."""

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
    margin = serializers.FloatField(allow_null=True, help_text="How much better than the runner-up.")
    terms = serializers.DictField(child=serializers.FloatField())
    candidates = CandidateOutput(many=True)
    others = serializers.DictField(help_text="Agents beyond the first 25, by what became of them.")
    words = serializers.ListField(child=serializers.CharField())


def _told(row: Row) -> dict[str, Any]:
    return {**row, "words": words.candidate(row)}


def candidates_output(matching: Matching) -> dict[str, Any]:
    """The only task of ``matching`` with every agent of its project."""
    task = matching.snapshot.tasks[0]
    agents = [n for n, agent in enumerate(matching.snapshot.agents) if task.project in agent.projects]
    record = record_of(matching, 0)
    return {
        "policy": matching.policy.name,
        "policy_version": matching.policy.version,
        "chosen": record.slug,
        "margin": record.margin,
        "candidates": [_told(row) for row in matching.rows(0, agents=agents)],
    }


def decision_output(decision: AssignmentDecision) -> dict[str, Any]:
    """One decision; it comes with its agent."""
    return {
        "at": decision.at,
        "mode": decision.mode,
        "policy": decision.policy,
        "policy_version": decision.policy_version,
        "agent": decision.agent.slug if decision.agent else None,
        "score": decision.score,
        "margin": decision.margin,
        "terms": decision.terms,
        "candidates": [_told(row) for row in decision.candidates],
        "others": decision.others,
        "words": words.sentences(decision.candidates, decision.others),
    }
