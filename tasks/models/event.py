"""Events: immutable facts; audit trail, live stream and report source in one."""

from typing import Any

from django.conf import settings
from django.db import models

from tasks.models.agent import Agent
from tasks.models.project import Project
from tasks.models.run import Run
from tasks.models.task import Task
from tasks.querysets import EventQuerySet


class CurrentTransactionId(models.Func):
    """The id of the writing transaction on PostgreSQL; 0 on SQLite, where row ids are the commit order."""

    output_field = models.BigIntegerField()
    arity = 0
    template = "0"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="(pg_current_xact_id()::text::bigint)", **extra)


class Event(models.Model):
    """What happened, to what, by whom, when. Written in the transaction of what it tells; never updated.

    It keeps the names that held when it was written, so that it can be read without joins and outlives its task.
    Readers order by ``(transaction_id, id)`` and stop below the oldest running transaction.
    """

    at = models.DateTimeField()
    transaction_id = models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="events")
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
        ordering = ["transaction_id", "id"]
        indexes = [
            models.Index(fields=["transaction_id", "id"], name="event_order"),
            models.Index(fields=["task", "id"], name="event_of_task"),
            models.Index(fields=["at"], name="event_at"),
            models.Index(fields=["project", "kind", "at"], name="event_for_reports"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.task_ref or self.project_key}"
