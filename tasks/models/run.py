"""Runs: attempts at tasks, their leases and results, and the reviews of the results."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from taskproject.texts import LONGEST_URL
from tasks.models.agent import Agent
from tasks.models.task import Task
from tasks.querysets import RunQuerySet


class RunStatus(models.TextChoices):
    """``active``, or how the run ended. The latter are also the reasons of ``lease_lost``."""

    ACTIVE = "active", "Active"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    RELEASED = "released", "Released"
    EXPIRED = "expired", "Lease expired"
    REVOKED = "revoked", "Revoked"
    CANCELLED = "cancelled", "Cancelled"
    PARKED = "parked", "Parked for an answer"


class Run(models.Model):
    """One attempt of one agent at a task. Its unguessable id is the fencing token: only the holder ever sees it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Without indexes of their own: others begin with them.
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="runs", db_index=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="runs", db_index=False)
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.ACTIVE)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    lease_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="Empty for people: no lease.")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    last_heartbeat_at = models.DateTimeField()
    waits_until = models.DateTimeField(
        null=True, blank=True, help_text="How long its holder waits for what it is told: that reaches it at once."
    )
    last_progress_at = models.DateTimeField()
    stalled_at = models.DateTimeField(null=True, blank=True)

    has_directives = models.BooleanField(
        default=False, db_default=False, help_text="Whether there may be any that are not acknowledged."
    )
    stop_delivered_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on it may only be ended; the lease is what it has left for that."
    )

    progress_percent = models.PositiveSmallIntegerField(default=0)
    progress_note = models.CharField(max_length=1000, blank=True)
    plan = models.JSONField(null=True, blank=True, help_text="Its checklist: content, status, priority; untrusted.")
    plan_steps = models.PositiveSmallIntegerField(default=0, db_default=0)
    plan_settled = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="Steps completed or skipped.")
    external_url = models.CharField(
        max_length=LONGEST_URL, blank=True, db_default="", help_text="The agent's own log; untrusted."
    )
    checkpoint = models.JSONField(default=dict, blank=True)
    summary = models.TextField(blank=True)
    result = models.JSONField(null=True, blank=True)
    criteria = models.JSONField(default=list, blank=True)
    failure = models.JSONField(null=True, blank=True, help_text="code, detail, retryable.")
    late_result = models.JSONField(null=True, blank=True, help_text="Body of a complete or fail that arrived too late.")
    late_result_at = models.DateTimeField(null=True, blank=True)
    adopted_at = models.DateTimeField(null=True, blank=True)

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["task", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["task"], name="run_one_active_per_task", condition=Q(status=RunStatus.ACTIVE)
            ),
            models.UniqueConstraint(fields=["task", "number"], name="run_number_unique_in_task"),
            models.CheckConstraint(name="run_status_known", condition=Q(status__in=RunStatus.values)),
            models.CheckConstraint(
                name="run_ended_unless_active",
                condition=Q(status=RunStatus.ACTIVE, ended_at__isnull=True)
                | (~Q(status=RunStatus.ACTIVE) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(name="run_progress_0_to_100", condition=Q(progress_percent__lte=100)),
            models.CheckConstraint(
                name="run_usage_not_negative", condition=Q(input_tokens__gte=0, output_tokens__gte=0, cost__gte=0)
            ),
        ]
        indexes = [
            # This also lists all that are active. No index is on what each heartbeat changes, such as the end of the
            # lease: so PostgreSQL writes the new row into the page of the old one and touches no index (HOT).
            models.Index(fields=["agent"], name="run_active_of_agent", condition=Q(ended_at__isnull=True)),
            models.Index(
                fields=["last_progress_at"],
                name="run_progress",
                condition=Q(ended_at__isnull=True, lease_seconds__isnull=False, stalled_at__isnull=True),
            ),
            models.Index(fields=["agent", "-started_at"], name="run_of_agent"),
            models.Index(fields=["agent", "ended_at"], name="run_ended_of_agent", condition=Q(ended_at__isnull=False)),
            models.Index(
                fields=["task"],
                name="run_late_result",
                condition=Q(late_result_at__isnull=False, adopted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.number} of task {self.task_id} by {self.agent.slug}"

    @property
    def is_stalled(self) -> bool:
        """Active, and without progress for longer than its project allows."""
        return self.stalled_at is not None and self.ended_at is None


class Verdict(models.TextChoices):
    APPROVED = "approved", "Approved"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"


class Review(models.Model):
    """A reviewer's verdict on a run's result."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    verdict = models.CharField(max_length=20, choices=Verdict)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at"]
        constraints = [models.CheckConstraint(name="review_verdict_known", condition=Q(verdict__in=Verdict.values))]

    def __str__(self) -> str:
        return f"{self.verdict} of run {self.run_id}"
