"""Projects: their members and the rules for work on their tasks."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from taskproject.texts import NameField
from tasks.errors import unknown_name
from tasks.matching.policies import DEFAULT, named, names
from tasks.querysets import MembershipQuerySet, OfProjectQuerySet, ProjectQuerySet
from tasks.transitions import Status
from tasks.verbs.catalogue import (
    LEASE_SECONDS_MAX,
    LEASE_SECONDS_MIN,
    STOP_GRACE_SECONDS,
    STOP_GRACE_SECONDS_MAX,
    STOP_GRACE_SECONDS_MIN,
)


def validate_policy(name: str) -> None:
    """Raise ``ValidationError`` with the nearest known name for an unregistered policy."""
    if named(name) is None:
        raise ValidationError(unknown_name(name, names(), what="policy"))


class AssignmentMode(models.TextChoices):
    MANUAL = "manual", "Manual"
    AUTO = "auto", "Automatic"


#: The highest limit of tasks in a column.
LIMIT_MOST = 100_000


class Project(models.Model):
    """A container of tasks with a short key (``OPS``), members and its own rules."""

    key = models.CharField(
        max_length=12,
        unique=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9]{0,11}$", "Use capital letters and digits, a letter first.")],
        help_text="Short and permanent: it starts every task's ref, as in OPS-42.",
    )
    name = NameField(max_length=200)
    description = models.TextField(blank=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="projects")

    mode = models.CharField("assignment mode", max_length=10, choices=AssignmentMode, default=AssignmentMode.MANUAL)
    allow_pull = models.BooleanField(
        "agents may pull", default=True, help_text="Agents may claim tasks that nobody is assigned to."
    )
    workers_create = models.BooleanField(
        "workers create tasks", default=False, help_text="Workers and reviewers, agents included, may create tasks."
    )
    review_required = models.BooleanField(
        default=False, help_text="New tasks require a review unless they say otherwise."
    )
    lease_seconds = models.PositiveIntegerField(
        default=15 * 60,
        validators=[MinValueValidator(LEASE_SECONDS_MIN), MaxValueValidator(LEASE_SECONDS_MAX)],
        help_text="How long a run is believed alive after its last call (30 s to 4 h).",
    )
    stalled_after_seconds = models.PositiveIntegerField(
        default=10 * 60,
        validators=[MinValueValidator(30)],
        help_text="A run without progress for this long is stalled.",
    )
    stop_grace_seconds = models.PositiveIntegerField(
        default=STOP_GRACE_SECONDS,
        db_default=STOP_GRACE_SECONDS,
        validators=[MinValueValidator(STOP_GRACE_SECONDS_MIN), MaxValueValidator(STOP_GRACE_SECONDS_MAX)],
        help_text="How long an agent has to end a run that it was told to stop; then it is revoked (10 s to 1 h).",
    )

    limit_in_progress = models.PositiveIntegerField(
        "limit of in progress",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LIMIT_MOST)],
        help_text="Agents stop starting tasks when this many are in progress; people may go on. Empty: no limit.",
    )
    limit_in_review = models.PositiveIntegerField(
        "limit of in review",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LIMIT_MOST)],
        help_text="Agents stop starting tasks when this many wait for a review; people may go on. Empty: no limit.",
    )

    policy = models.CharField(
        "assignment policy",
        max_length=40,
        default=DEFAULT,
        validators=[validate_policy],
        help_text="How automatic assignment chooses: value, least_loaded, round_robin or best_skill.",
    )
    share_weight = models.FloatField(
        "share between projects",
        default=1.0,
        validators=[MinValueValidator(0.01), MaxValueValidator(100)],
        help_text="The weight of its tasks among projects that share agents: 2 counts twice.",
    )
    patience_minutes = models.PositiveIntegerField(
        default=8 * 60,
        validators=[MinValueValidator(1), MaxValueValidator(365 * 24 * 60)],
        help_text="How long a task of normal priority may wait; low twice, high half, urgent a quarter as long.",
    )
    accept_within_llm_seconds = models.PositiveIntegerField(
        "LLM accepts within",
        default=2 * 60,
        validators=[MinValueValidator(5), MaxValueValidator(30 * 24 * 3600)],
        help_text="Seconds until an offer that an LLM agent does not claim goes to the next agent.",
    )
    accept_within_human_seconds = models.PositiveIntegerField(
        "person accepts within",
        default=4 * 60 * 60,
        validators=[MinValueValidator(5), MaxValueValidator(30 * 24 * 3600)],
        help_text="Seconds of working time until an offer that a person does not start goes to the next agent.",
    )

    last_number = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                name="project_lease_within_bounds",
                condition=Q(lease_seconds__gte=LEASE_SECONDS_MIN, lease_seconds__lte=LEASE_SECONDS_MAX),
            ),
            models.CheckConstraint(name="project_mode_known", condition=Q(mode__in=AssignmentMode.values)),
        ]

    def __str__(self) -> str:
        return f"{self.key} · {self.name}"

    def unique_error_message(self, model_class: Any, unique_check: Any) -> ValidationError:
        return ValidationError(f"There is a project {self.key} already; choose another key.", code="unique")

    @property
    def limits(self) -> dict[str, int]:
        """At how many tasks in a status agents stop starting tasks; a status without a limit is left out."""
        limits = {Status.IN_PROGRESS.value: self.limit_in_progress, Status.IN_REVIEW.value: self.limit_in_review}
        return {status: most for status, most in limits.items() if most is not None}


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    WORKER = "worker", "Worker"
    REVIEWER = "reviewer", "Reviewer"
    MANAGER = "manager", "Manager"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do everything that ``other`` may: each role includes those before it."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Membership(models.Model):
    """A user's place in a project. An LLM agent can be worker or reviewer, never manager."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.WORKER)
    paused_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when a manager lets the agent take no work here."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ["project", "user"]
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_one_per_user_and_project"),
            models.CheckConstraint(name="membership_role_known", condition=Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project.key} as {self.role}"


class Label(models.Model):
    """A free-form word that groups tasks of one project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labels")
    name = NameField(max_length=60)

    objects = OfProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="label_unique_in_project")]

    def __str__(self) -> str:
        return self.name
