"""Decisions of automatic assignment: who was chosen for a task, or why nobody was, and on which figures."""

from django.db import models
from django.db.models import Q

from tasks.models.agent import Agent
from tasks.models.task import Task


class DecisionMode(models.TextChoices):
    AUTO = "auto", "By the engine"
    ON_DEMAND = "on_demand", "On demand"


class AssignmentDecision(models.Model):
    """Why a task was offered to this agent, or to nobody, with everything that the choice was based on.

    A waiting task has one open record of nobody, which is kept up to date while it waits and ended when it is offered.
    """

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="decisions")
    at = models.DateTimeField()
    mode = models.CharField(max_length=10, choices=DecisionMode)
    policy = models.CharField(max_length=40)
    policy_version = models.CharField(max_length=20)
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="decisions", help_text="Empty: nobody."
    )
    score = models.FloatField(null=True, blank=True)
    margin = models.FloatField(null=True, blank=True, help_text="The lead over the runner-up's score.")
    terms = models.JSONField(default=dict, help_text="The task's part of the score.")
    candidates = models.JSONField(default=list, help_text="Each agent with its figures, or what excluded it.")
    others = models.JSONField(default=dict, help_text="Agents beyond `candidates`, by outcome.")
    warning = models.CharField(max_length=300, blank=True, help_text="Why nobody can do the task until somebody acts.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When a record of nobody was superseded.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task"],
                name="decision_one_open_of_nobody",
                condition=Q(agent__isnull=True, ended_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["task", "-id"], name="decision_of_task"),
            models.Index(fields=["at"], name="decision_at"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} → {self.agent.slug if self.agent else 'nobody'}"
