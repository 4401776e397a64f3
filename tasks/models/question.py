"""Questions: what a run needs to know from people, until somebody answers."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models.project import Project, Role
from tasks.models.run import Run
from tasks.models.task import Priority, Task
from tasks.querysets import QuestionQuerySet


class QuestionKind(models.TextChoices):
    TEXT = "text", "Text"
    CHOICE = "choice", "Choice"
    CONFIRM = "confirm", "Yes or no"
    FORM = "form", "Form"


class QuestionState(models.TextChoices):
    OPEN = "open", "Open"
    ANSWERED = "answered", "Answered"
    DEFAULTED = "defaulted", "Answered by its default"
    WITHDRAWN = "withdrawn", "Withdrawn"
    SUPERSEDED = "superseded", "Superseded"
    FAILED = "failed", "Not answered in time"


class OnExpiry(models.TextChoices):
    """What happens to a question that nobody answers until ``expires_at``."""

    DEFAULT = "default", "Its default is the answer"
    KEEP = "keep", "It stays open"
    ESCALATE = "escalate", "It goes to the managers"
    FAIL = "fail", "The attempt fails"


class Question(models.Model):
    """A durable request from a run to a person, answered at most once; see *Messaging* in the domain.

    Those asked together share ``ask``. With ``is_parked`` the run ended for it and the task waits; else the answer
    reaches the run as a directive, with the same life as an instruction's: queued, delivered, acknowledged.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="questions", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="questions")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="questions")
    ask = models.UUIDField(help_text="Shared by questions that were asked together.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place among those.")
    prompt = models.TextField(max_length=10_000)
    kind = models.CharField(max_length=10, choices=QuestionKind, default=QuestionKind.TEXT)
    options = models.JSONField(
        default=list, blank=True, help_text="Of a choice: objects with `label`, `description`, `recommended`."
    )
    multi = models.BooleanField(default=False, help_text="Whether several options may be chosen.")
    strict = models.BooleanField(default=False, help_text="Whether only the options may be chosen, no other text.")
    schema = models.JSONField(null=True, blank=True, help_text="Of a form: a flat JSON Schema.")
    default = models.JSONField(null=True, blank=True, help_text="Its answer if nobody gives one; null: none.")
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="questions"
    )
    to_role = models.CharField(max_length=10, choices=Role, blank=True)
    urgency = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    dedupe_key = models.CharField(max_length=200, blank=True)
    bound_version = models.PositiveIntegerField(
        null=True, blank=True, help_text="The version of the task that it is about."
    )
    bound_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the artifact that it is about.")
    is_parked = models.BooleanField(default=False)

    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    on_expiry = models.CharField(max_length=10, choices=OnExpiry, default=OnExpiry.KEEP)
    expired_at = models.DateTimeField(null=True, blank=True, help_text="When it expired, also if it stays open.")
    escalated_at = models.DateTimeField(null=True, blank=True)

    state = models.CharField(max_length=10, choices=QuestionState, default=QuestionState.OPEN)
    value = models.JSONField(null=True, blank=True)
    note = models.TextField(blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="When a reply with the answer was made.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    objects = QuestionQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="question_kind_known", condition=Q(kind__in=QuestionKind.values)),
            models.CheckConstraint(name="question_on_expiry_known", condition=Q(on_expiry__in=OnExpiry.values)),
            models.CheckConstraint(
                name="question_ended_unless_open",
                condition=Q(state=QuestionState.OPEN, ended_at__isnull=True)
                | (Q(state__in=QuestionState.values) & ~Q(state=QuestionState.OPEN) & Q(ended_at__isnull=False)),
            ),
            models.UniqueConstraint(
                fields=["task", "dedupe_key", "position"],
                name="question_once_per_dedupe_key",
                condition=~Q(dedupe_key="")
                & Q(state__in=[QuestionState.OPEN, QuestionState.ANSWERED, QuestionState.DEFAULTED]),
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="question_of_project"),
            models.Index(fields=["project", "-id"], name="question_open", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["task"], name="question_open_of_task", condition=Q(ended_at__isnull=True)),
            models.Index(
                fields=["expires_at"],
                name="question_expiring",
                condition=Q(ended_at__isnull=True, expired_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"question {self.pk} of task {self.task_id}"

    @property
    def is_bound(self) -> bool:
        """Whether it is about one version of something that may change."""
        return self.bound_version is not None or bool(self.bound_hash)
