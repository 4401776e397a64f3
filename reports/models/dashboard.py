"""Reports that people put side by side."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from reports.models.saved_report import LONGEST_NAME, owner_gone, project_gone, readable_by
from taskproject.texts import NameField
from tasks.models import Project


class DashboardQuerySet(models.QuerySet["Dashboard"]):
    def visible_to(self, user: Any) -> Self:
        """Whoever may read a saved report of the same owner and project."""
        return self.filter(readable_by(user))


class Dashboard(models.Model):
    """Reports in an order: somebody's own, or a project's for all its members.

    ``items`` name reports and have no figures: ``{"report": slug or id of a saved report, "size": "half" or "full"}``.
    What they name may have been deleted since.
    """

    name = NameField(max_length=LONGEST_NAME)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=owner_gone,
        null=True,
        blank=True,
        related_name="dashboards",
        help_text="Empty: their account was deleted.",
    )
    project = models.ForeignKey(
        Project,
        on_delete=project_gone,
        null=True,
        blank=True,
        related_name="dashboards",
        help_text="Whose figures it shows to all members; empty: its owner alone.",
    )
    items: Any = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts changes.")
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects = DashboardQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="dashboard_name_unique_of_owner"),
            models.CheckConstraint(
                name="dashboard_is_of_somebody", condition=Q(owner__isnull=False) | Q(project__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name
