"""Follow-ups: work that a run found and did not do."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models.run import Run
from tasks.models.task import Priority, Task
from tasks.querysets import FollowUpQuerySet


class FollowUpState(models.TextChoices):
    HELD = "held", "Waits for the review"
    OPEN = "open", "Proposed"
    ACCEPTED = "accepted", "Became a task"
    DISMISSED = "dismissed", "Dismissed"
    REPLACED = "replaced", "Replaced by those of a later run"


class FollowUp(models.Model):
    """A task that a run proposes with its result. Its texts are untrusted.

    What is not reviewed makes no work: until the result is approved it is held. Then it becomes a task, if its author
    may create tasks in the project, or waits for a manager.
    """

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="follow_ups")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="follow_ups")
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True, max_length=20_000)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    required_skills = models.JSONField(default=list, blank=True, help_text="Objects with `skill` and `min_level`.")
    state = models.CharField(max_length=10, choices=FollowUpState, default=FollowUpState.HELD)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    note = models.TextField(blank=True)
    created = models.ForeignKey(
        Task, on_delete=models.SET_NULL, null=True, blank=True, related_name="came_from", help_text="What it became."
    )

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="follow_up_state_known", condition=Q(state__in=FollowUpState.values)),
            models.CheckConstraint(
                name="follow_up_ended_unless_undecided",
                condition=Q(state__in=[FollowUpState.HELD, FollowUpState.OPEN], ended_at__isnull=True)
                | (~Q(state__in=[FollowUpState.HELD, FollowUpState.OPEN]) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(fields=["task"], name="follow_up_open", condition=Q(state=FollowUpState.OPEN))]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    @property
    def is_undecided(self) -> bool:
        return self.state in (FollowUpState.HELD, FollowUpState.OPEN)
