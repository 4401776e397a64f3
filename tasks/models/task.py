"""Tasks and what belongs to them: assignments, dependencies, required skills, links."""

from datetime import UTC, datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from taskproject.texts import NameField
from taskproject.times import MomentField
from tasks.models.agent import Agent, Skill
from tasks.models.project import Label, Project
from tasks.querysets import AssignmentQuerySet, TaskQuerySet
from tasks.refs import ref_of
from tasks.transitions import OPEN, Status, is_overdue, is_ready, ready_at

NO_DUE_DATE = datetime(9999, 1, 1, tzinfo=UTC)


class Priority(models.IntegerChoices):
    """Stored as a number so that the database can order by it; the API uses the names."""

    LOW = 1, "Low"
    NORMAL = 2, "Normal"
    HIGH = 3, "High"
    URGENT = 4, "Urgent"


class Task(models.Model):
    """A piece of work. Only the verbs in ``tasks.actions`` write its status."""

    # Without an index of its own: several others begin with it, as with that of the rows below.
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tasks", db_index=False)
    number = models.PositiveIntegerField(editable=False)
    title = NameField(max_length=300)
    description = models.TextField(blank=True, max_length=100_000)
    status = models.CharField(max_length=12, choices=Status, default=Status.NOT_STARTED, editable=False)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    labels = models.ManyToManyField(Label, blank=True, related_name="tasks")
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children", db_index=False
    )
    criteria = models.JSONField(
        default=list, blank=True, help_text="What must be true for the task to be done: a list of texts."
    )
    due_at = MomentField(null=True, blank=True)
    start_after = MomentField(null=True, blank=True, help_text="The task may not be started before.")
    on_hold = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Set aside without a date: nobody may start it until it is taken off hold.",
    )
    estimate_minutes = models.PositiveIntegerField(null=True, blank=True)
    review_required = models.BooleanField(default=False)
    max_attempts = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="Failures until the task is failed.",
    )
    external_id = models.CharField(max_length=200, null=True, blank=True, editable=False)
    source_updated_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its source had changed it last, as of the last import."
    )

    progress_percent = models.PositiveSmallIntegerField(default=0, editable=False)
    progress_note = models.CharField(max_length=1000, blank=True, editable=False)
    progress_at = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Failed attempts.")
    lease_losses = models.PositiveSmallIntegerField(default=0, editable=False)
    run_count = models.PositiveIntegerField(default=0, editable=False)
    open_blockers = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Dependencies not completed and children not settled; `doctor` recounts them.",
    )
    has_kept_directives = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Whether instructions wait for the next run."
    )
    open_questions = models.PositiveSmallIntegerField(
        default=0, db_default=0, editable=False, help_text="Questions about it that wait for an answer."
    )
    deferred_until = MomentField(
        null=True, blank=True, editable=False, help_text="The later of `start_after` and the delay after a failure."
    )
    last_failure = models.JSONField(
        null=True, blank=True, editable=False, help_text="Of the last attempt that failed: see `funnel.failure_of`."
    )
    due_soon_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the engine reported that the due date is near."
    )
    overdue_since = models.DateTimeField(null=True, blank=True, editable=False, help_text="When it was reported.")
    result = models.JSONField(null=True, blank=True, editable=False)
    summary = models.TextField(blank=True, editable=False)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = MomentField(editable=False)
    updated_at = MomentField(editable=False)
    started_at = MomentField(null=True, blank=True, editable=False)
    completed_at = MomentField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    # NULLs sort first on SQLite and last on PostgreSQL; a due date for every task lets one index serve both.
    due_order = models.GeneratedField(
        expression=Coalesce(F("due_at"), Value(NO_DUE_DATE, models.DateTimeField())),
        output_field=models.DateTimeField(),
        db_persist=True,
    )

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="task_number_unique_in_project"),
            models.UniqueConstraint(
                fields=["project", "external_id"],
                name="task_external_id_unique_in_project",
                condition=Q(external_id__isnull=False),
            ),
            models.CheckConstraint(name="task_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="task_priority_known", condition=Q(priority__in=Priority.values)),
            models.CheckConstraint(name="task_progress_0_to_100", condition=Q(progress_percent__lte=100)),
            models.CheckConstraint(name="task_max_attempts_positive", condition=Q(max_attempts__gte=1)),
            models.CheckConstraint(
                name="task_in_progress_has_started",
                condition=~Q(status=Status.IN_PROGRESS) | Q(started_at__isnull=False),
            ),
            models.CheckConstraint(
                name="task_completed_has_completed_at",
                condition=~Q(status=Status.COMPLETED) | Q(completed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="task_not_its_own_parent", condition=Q(parent__isnull=True) | ~Q(parent=F("id"))
            ),
        ]
        indexes = [
            models.Index(
                "project",
                F("priority").desc(),
                "due_order",
                "id",
                name="task_pool",
                condition=Q(status=Status.NOT_STARTED, open_blockers=0),
            ),
            models.Index(fields=["project", "-id"], name="task_of_project"),
            models.Index("project", "status", F("priority").desc(), "due_order", "id", name="task_board_column"),
            models.Index(fields=["project", "completed_at"], name="task_completed"),
            # Where most tasks have no parent, statistics make SQLite take an index of all parents for useless.
            models.Index(fields=["parent"], name="task_child", condition=Q(parent__isnull=False)),
            models.Index(fields=["status", "-id"], name="task_by_status"),
            # The orders of the list, of a project and of all; one direction serves both.
            models.Index(fields=["project", "updated_at", "id"], name="task_of_project_by_update"),
            models.Index(fields=["project", "priority", "id"], name="task_of_project_by_priority"),
            models.Index(fields=["project", "due_order", "id"], name="task_of_project_by_due_date"),
            models.Index(fields=["project", "title", "id"], name="task_of_project_by_title"),
            models.Index(fields=["updated_at", "id"], name="task_by_update"),
            models.Index(fields=["priority", "id"], name="task_by_priority"),
            models.Index(fields=["due_order", "id"], name="task_by_due_date"),
            models.Index(fields=["title", "id"], name="task_by_title"),
            # What the engine looks for each second. By status, since SQLite uses no index whose condition names several
            # of them, and prefers one that begins with what is given.
            models.Index(
                fields=["status", "deferred_until"], name="task_waking", condition=Q(deferred_until__isnull=False)
            ),
            models.Index(
                fields=["status", "due_at"],
                name="task_not_yet_overdue",
                condition=Q(due_at__isnull=False, overdue_since__isnull=True),
            ),
            models.Index(
                fields=["status", "due_at"],
                name="task_not_yet_due_soon",
                condition=Q(due_at__isnull=False, due_soon_since__isnull=True),
            ),
            models.Index(
                fields=["project", "status", "due_at"],
                name="task_overdue",
                condition=Q(overdue_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    @property
    def ref(self) -> str:
        """The human-readable name, ``OPS-42``; reads the project."""
        return ref_of(self.project.key, self.number)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def is_deferred(self, now: datetime) -> bool:
        return self.deferred_until is not None and self.deferred_until > now

    def is_ready(self, now: datetime) -> bool:
        return is_ready(self.status, self.open_blockers, self.deferred_until, now, on_hold=self.on_hold)

    def ready_at(self, now: datetime) -> datetime | None:
        return ready_at(self.status, self.deferred_until, now)

    def is_resting(self, now: datetime) -> bool:
        """Whether the task waits only because an attempt has failed; not for its own start date."""
        until = self.ready_at(now)
        return until is not None and self.last_failure is not None and until != self.start_after

    def is_blocked(self) -> bool:
        return self.status == Status.NOT_STARTED and self.open_blockers > 0

    def is_overdue(self, now: datetime) -> bool:
        return is_overdue(self.status, self.due_at, now)


class AssignmentSource(models.TextChoices):
    MANUAL = "manual", "By hand"
    AUTO = "auto", "Automatic"
    PULL = "pull", "Pulled by the agent"


class AssignmentEnd(models.TextChoices):
    """Why an assignment is no longer active. Only ``closed`` ones come back when a task is reopened."""

    CLOSED = "closed", "The task ended"
    UNASSIGNED = "unassigned", "Unassigned"
    GIVEN_BACK = "given_back", "It was not finished, and nobody had assigned it by hand"
    LAPSED = "lapsed", "The offer was not accepted in time"
    DECLINED = "declined", "The agent declined"


def counting(assignments: str = "") -> Q:
    """Of the assignments that a task shows: the active ones, and those that ended together with it.

    ``assignments``: the way there, as in ``assignments__``.
    """
    return Q(**{f"{assignments}ended_at__isnull": True}) | Q(**{f"{assignments}end_reason": AssignmentEnd.CLOSED})


class Assignment(models.Model):
    """Who should do a task, by whom and how it was assigned. A task may have several at once."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments")
    # Without an index of its own: another begins with it.
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="assignments", db_index=False)
    source = models.CharField(max_length=10, choices=AssignmentSource, default=AssignmentSource.MANUAL)
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=12, choices=AssignmentEnd, blank=True)
    end_note = models.TextField(blank=True, help_text="Why the agent declined.")
    accept_by = models.DateTimeField(
        null=True, blank=True, help_text="An automatic assignment is an offer: unclaimed, it lapses then."
    )

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "agent"], name="assignment_one_active_per_agent", condition=Q(ended_at__isnull=True)
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "task"], name="assignment_of_agent"),
            models.Index(fields=["agent", "-id"], name="assignment_latest"),
            # Not only of the active ones: without statistics, SQLite may prefer the indexes above to such an index.
            models.Index(fields=["agent", "ended_at", "task"], name="assignment_active"),
            models.Index(
                fields=["accept_by"],
                name="assignment_offer",
                condition=Q(ended_at__isnull=True, accept_by__isnull=False),
            ),
            models.Index(fields=["task"], name="assignment_declined", condition=Q(end_reason=AssignmentEnd.DECLINED)),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} → {self.agent.slug}"

    @property
    def counts(self) -> bool:
        """Whether it is one of ``counting``."""
        return self.ended_at is None or self.end_reason == AssignmentEnd.CLOSED


class Dependency(models.Model):
    """``task`` waits until ``depends_on`` is completed. Dependencies form a DAG inside one project."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependencies", db_index=False)
    depends_on = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependents")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "dependencies"
        constraints = [
            models.UniqueConstraint(fields=["task", "depends_on"], name="dependency_once"),
            models.CheckConstraint(name="dependency_not_on_itself", condition=~Q(task=F("depends_on"))),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} waits for {self.depends_on_id}"


class RequiredSkill(models.Model):
    """A skill required for the task, at a minimum level."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="required_skills", db_index=False)
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="required_by")
    min_level = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(5)])

    class Meta:
        ordering = ["skill__name"]
        constraints = [
            models.UniqueConstraint(fields=["task", "skill"], name="required_skill_once"),
            models.CheckConstraint(name="required_skill_level_1_to_5", condition=Q(min_level__gte=1, min_level__lte=5)),
        ]

    def __str__(self) -> str:
        return f"{self.skill}:{self.min_level}"


class TaskLink(models.Model):
    """A relation that blocks nothing (``related``, ``discovered-from``), from other trackers' files."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="links", db_index=False)
    target = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="linked_from")
    kind = models.CharField(max_length=60)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["task", "target", "kind"], name="task_link_once")]

    def __str__(self) -> str:
        return f"{self.task_id} {self.kind} {self.target_id}"
