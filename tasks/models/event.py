"""Events: immutable facts; audit trail, live stream and report source in one."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models.agent import Agent
from tasks.models.project import Project
from tasks.models.run import Run
from tasks.models.task import Task
from tasks.querysets import EventQuerySet

#: The kinds that tell somebody's open pages of their own list, and nothing of a task: deleted once no cursor of the
#: stream may ask for them (``tasks.retention``). All others are kept as long as their project.
PASSING = ("inbox.changed", "notification.created", "notification.extended", "notification.read")


class Event(models.Model):
    """What happened, to what, by whom, when. Written in the transaction of what it records; never updated.

    It keeps the names from when it was written, so that it can be read without joins and outlives its task.
    The order is that of row ids; ``tasks.events.settled`` says up to which id the stream is complete.
    """

    at = models.DateTimeField()
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="events", db_index=False)
    project_key = models.CharField(max_length=12)
    task = models.ForeignKey(
        Task, on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="events", db_index=False
    )
    task_ref = models.CharField(max_length=24, blank=True)
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+", db_index=False
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+", db_index=False
    )
    agent_slug = models.CharField(max_length=60, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )
    actor_name = models.CharField(max_length=150, blank=True, help_text="Empty: the engine.")
    kind = models.CharField(max_length=60)
    data = models.JSONField(default=dict)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["task", "id"], name="event_of_task"),
            models.Index(fields=["at"], name="event_at"),
            models.Index(fields=["project", "kind", "at"], name="event_for_reports"),
            models.Index(fields=["id"], name="event_passing", condition=Q(kind__in=PASSING)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.task_ref or self.project_key}"
