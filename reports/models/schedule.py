"""When saved reports are sent by mail."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from reports.models.saved_report import SavedReport

LONGEST_CRON = 100


class ScheduleOutput(models.TextChoices):
    """The files that are sent."""

    XLSX = "xlsx", "XLSX"
    CSV = "csv", "CSV"


class ReportScheduleQuerySet(models.QuerySet["ReportSchedule"]):
    def due(self, now: Any) -> Self:
        """Those whose time has come and that no engine has taken."""
        free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
        return self.filter(free, next_at__lte=now)


class ReportSchedule(models.Model):
    """A saved report that somebody gets by mail at times of their choice, with the figures of their projects.

    Without ``next_at`` it rests: its owner paused it, or it stopped itself and ``stopped`` says why. ``claim`` marks
    what one engine has taken, until ``claimed_until``.
    """

    report = models.ForeignKey(SavedReport, on_delete=models.CASCADE, related_name="schedules")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_schedules")
    cron = models.CharField(max_length=LONGEST_CRON, help_text="Minute, hour, day of month, month, weekday.")
    tz = models.CharField(max_length=64, help_text="The zone of these times, and of the report's days.")
    output = models.CharField(max_length=4, choices=ScheduleOutput, default=ScheduleOutput.XLSX)
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    stopped = models.CharField(max_length=300, blank=True, editable=False, help_text="Why it stopped itself.")
    last_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_result = models.CharField(max_length=300, blank=True, editable=False)
    last_key = models.CharField(max_length=100, blank=True, editable=False, help_text="Of the last mail.")
    claim = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(editable=False)

    objects = ReportScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "report", "cron", "tz", "output"], name="report_schedule_once"),
            models.CheckConstraint(
                name="report_schedule_rests_if_stopped", condition=Q(stopped="") | Q(next_at__isnull=True)
            ),
            models.CheckConstraint(name="report_schedule_output_known", condition=Q(output__in=ScheduleOutput.values)),
        ]
        indexes = [
            models.Index(fields=["next_at"], name="report_schedule_due", condition=Q(next_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.report} at {self.cron}"

    @property
    def is_active(self) -> bool:
        return self.next_at is not None
