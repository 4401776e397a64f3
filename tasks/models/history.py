"""The history of tasks in rows that can be measured: the source of every figure about time.

Intervals, episodes and the sets of labels that they name are projections of the events: ``tasks.history`` writes them
in the transaction that records the events, and can write them again from the events alone. ``AskedQuestion`` is copied
in that transaction from the questions that the events name, and can be copied again while these are there.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from tasks.models.agent import Agent
from tasks.models.project import Project, Role
from tasks.models.question import QuestionKind, QuestionState
from tasks.models.run import RunStatus, Verdict
from tasks.models.task import Priority, Task
from tasks.transitions import Status


class LabelSet(models.Model):
    """Labels that tasks of a project had at the same time. A set never changes: what is over keeps its labels."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=64, help_text="SHA-256 of its names in order, as a JSON list.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="label_set_unique_in_project")]

    def __str__(self) -> str:
        return f"label set {self.pk}"


class LabelOfSet(models.Model):
    """A name in a set of labels."""

    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="labels", db_index=False)
    name = models.CharField(max_length=60)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["label_set", "name"], name="label_once_in_set")]

    def __str__(self) -> str:
        return self.name


def _label_set() -> "models.ForeignKey[LabelSet | None, LabelSet | None]":
    return models.ForeignKey(
        LabelSet,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
        db_index=False,
        help_text="The labels of its task; empty: it had none.",
    )


class WaitReason(models.TextChoices):
    """Why a task stood still: at most one at a time, the first of these that applied."""

    ELSEWHERE = "elsewhere", "Before its import, not known"
    DEPENDENCY = "dependency", "For another task"
    ON_HOLD = "on_hold", "On hold"
    DEFERRED = "deferred", "Until its start or a retry"
    NO_AGENT = "no_agent", "For an agent"
    ANSWER = "answer", "For an answer"
    REVIEW = "review", "For a review"


class StatusInterval(models.Model):
    """A time that a task spent in one open status for one reason; the last one of an open task is open.

    Within an episode they follow each other without gaps or overlaps. One *in progress* is a run, with how it ended and
    what it used; one *in review* may have a verdict. Priority and labels of the task are kept as they were at its end.
    It outlives its task.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Never NULL; so declared that a join with tasks keeps the rows whose task is deleted.
    task = models.ForeignKey(
        Task, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False, null=True
    )
    task_ref = models.CharField(max_length=24)
    episode = models.PositiveIntegerField(help_text="The number of the episode that it belongs to.")
    status = models.CharField(max_length=12, choices=Status)
    reason = models.CharField(max_length=12, choices=WaitReason, blank=True, help_text="Empty: it was worked on.")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    agent = models.ForeignKey(
        Agent,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
        db_index=False,
        help_text="Who worked; while it waits for an answer or a review, whose work that is.",
    )
    version = models.CharField(max_length=120, blank=True, help_text="The agent's version when the run began.")
    is_pulled = models.BooleanField(default=False, help_text="Whether the agent took the task without being assigned.")
    run_number = models.PositiveIntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=RunStatus, blank=True, help_text="How the run ended.")
    code = models.CharField(max_length=60, blank=True, help_text="Of a failed run; untrusted.")
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    verdict = models.CharField(max_length=20, choices=Verdict, blank=True, help_text="Of the review that ended it.")
    reviewer = models.CharField(max_length=150, blank=True, help_text="Whose verdict it is: slug or username.")
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    label_set = _label_set()

    class Meta:
        # Not by ``task``: that would join the tasks.
        ordering = ["task_id", "began_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["task"], name="interval_one_open", condition=Q(ended_at__isnull=True)),
            models.CheckConstraint(
                name="interval_ends_after_it_began",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")),
            ),
        ]
        indexes = [
            models.Index(fields=["task", "began_at"], name="interval_of_task"),
            models.Index(fields=["project", "began_at"], name="interval_began"),
            models.Index(fields=["project", "ended_at"], name="interval_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.task_ref} {self.status} from {self.began_at}"


class TimeSource(models.TextChoices):
    """Where a time comes from. One that is unknown counts in no duration and in no period."""

    HERE = "here", "It happened here"
    GIVEN = "given", "A file gave it"
    INFERRED = "inferred", "Inferred from other times in a file"
    UNKNOWN = "unknown", "Not known"


class EpisodeEnd(models.TextChoices):
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    DELETED = "deleted", "Deleted"


class Credit(models.TextChoices):
    """Whose completion it is."""

    AGENT = "agent", "One agent"
    SEVERAL = "several", "Several"
    NOBODY = "nobody", "Nobody"


class Episode(models.Model):
    """One way of a task from its entry (created, imported, reopened) to its end; a reopened task begins another.

    What the task was like is kept as it was at the end, so that a period that is over never changes. It outlives its
    task.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Never NULL; so declared that a join with tasks keeps the rows whose task is deleted.
    task = models.ForeignKey(
        Task, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False, null=True
    )
    task_ref = models.CharField(max_length=24)
    number = models.PositiveIntegerField()
    is_reopened = models.BooleanField(default=False, help_text="Whether the episode before it was completed.")

    entered_at = models.DateTimeField()
    entered_from = models.CharField(max_length=10, choices=TimeSource, default=TimeSource.HERE)
    started_at = models.DateTimeField(null=True, blank=True, help_text="First in progress; empty: not, or not known.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_from = models.CharField(max_length=10, choices=TimeSource, blank=True, help_text="Empty while it is open.")
    end = models.CharField(max_length=10, choices=EpisodeEnd, blank=True)
    is_imported = models.BooleanField(default=False, help_text="Whether it ended elsewhere, before its import.")

    agent = models.ForeignKey(
        Agent, on_delete=models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+", db_index=False
    )
    version = models.CharField(max_length=120, blank=True, help_text="The agent's version when its last run began.")
    credit = models.CharField(max_length=10, choices=Credit, blank=True, help_text="Empty unless completed.")

    created_by = models.CharField(max_length=150, blank=True, help_text="Who created the task: slug or username.")
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    label_set = _label_set()
    due_at = models.DateTimeField(null=True, blank=True)
    estimate_minutes = models.PositiveIntegerField(null=True, blank=True)

    runs = models.PositiveIntegerField(default=0)
    failed_runs = models.PositiveIntegerField(default=0)
    changes_requested = models.PositiveIntegerField(default=0)
    worked_seconds = models.FloatField(default=0, help_text="In progress, all its runs together.")
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost = models.DecimalField(max_digits=16, decimal_places=6, default=0)

    class Meta:
        # Not by ``task``: that would join the tasks.
        ordering = ["task_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="episode_number_unique_in_task"),
            models.UniqueConstraint(fields=["task"], name="episode_one_open", condition=Q(end="")),
            models.CheckConstraint(
                name="episode_ended_with_an_end",
                condition=Q(end="", ended_at__isnull=True) | (~Q(end="") & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["project", "end", "ended_at"], name="episode_ended"),
            models.Index(fields=["project", "entered_at"], name="episode_entered"),
            # Few, if any, which each report counts. With the columns of the other indexes, or SQLite prefers those.
            models.Index(
                fields=["project", "end", "ended_at"],
                name="episode_end_not_known",
                condition=Q(ended_from=TimeSource.UNKNOWN),
            ),
            models.Index(
                fields=["project", "entered_at"],
                name="episode_entry_not_known",
                condition=Q(entered_from=TimeSource.UNKNOWN),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task_ref} episode {self.number}"


class AskedQuestion(models.Model):
    """A question of a run as reports count it, without its words. It outlives its task.

    Priority and labels of the task are kept as they were when it was asked.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Never NULL; so declared that a join with tasks keeps the rows whose task is deleted.
    task = models.ForeignKey(
        Task, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False, null=True
    )
    task_ref = models.CharField(max_length=24)
    question = models.PositiveBigIntegerField(unique=True, help_text="Its id.")
    agent = models.ForeignKey(
        Agent, on_delete=models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=10, choices=QuestionKind)
    urgency = models.PositiveSmallIntegerField(choices=Priority)
    to_role = models.CharField(max_length=10, choices=Role, blank=True)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=QuestionState, default=QuestionState.OPEN)
    ended_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    label_set = _label_set()

    class Meta:
        ordering = ["question"]
        indexes = [
            models.Index(fields=["task"], name="asked_about_task"),
            models.Index(fields=["project", "asked_at"], name="asked_in_project"),
            models.Index(fields=["project", "ended_at"], name="asked_ended"),
        ]

    def __str__(self) -> str:
        return f"question {self.question} about {self.task_ref}"


class AssignmentStepKind(models.TextChoices):
    """What happened between a task and an agent before it was worked on."""

    OFFERED = "offered", "Offered by automatic assignment"
    BY_HAND = "by_hand", "Assigned by hand"
    LAPSED = "lapsed", "The offer lapsed"
    DECLINED = "declined", "Declined by the agent"


class AssignmentStep(models.Model):
    """That a task was offered or assigned to an agent, or an offer ended without a run. It outlives its task.

    That an agent pulled a task is kept with its run, in ``StatusInterval``.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Never NULL; so declared that a join with tasks keeps the rows whose task is deleted.
    task = models.ForeignKey(
        Task, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False, null=True
    )
    task_ref = models.CharField(max_length=24)
    agent = models.ForeignKey(
        Agent, on_delete=models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+", db_index=False
    )
    step = models.CharField(max_length=10, choices=AssignmentStepKind)
    at = models.DateTimeField()
    score = models.FloatField(null=True, blank=True, help_text="Of an offer: how well the agent fitted.")
    margin = models.FloatField(null=True, blank=True, help_text="Of an offer: the lead over the runner-up's score.")
    label_set = _label_set()

    class Meta:
        # Not by ``task``: that would join the tasks.
        ordering = ["task_id", "id"]
        indexes = [
            models.Index(fields=["task"], name="assignment_step_of_task"),
            models.Index(fields=["project", "at"], name="assignment_step_in_project"),
        ]

    def __str__(self) -> str:
        return f"{self.task_ref} {self.step} at {self.at}"
