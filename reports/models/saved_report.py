"""Reports that people define and keep."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from taskproject.texts import NameField
from tasks.models import Project
from tasks.models.owned import LONGEST_NAME, owner_gone, project_gone, readable_by

__all__ = ["LONGEST_NAME", "SavedReport", "owner_gone", "project_gone", "readable_by"]

LONGEST_DESCRIPTION = 500
#: Words that a search looks for.
MOST_WORDS = 10


class SavedReportQuerySet(models.QuerySet["SavedReport"]):
    def visible_to(self, user: Any) -> Self:
        """Those that ``user`` may read."""
        return self.filter(readable_by(user))

    def with_words(self, text: str) -> Self:
        """Those whose name or description contains each word of ``text``."""
        rows = self
        for word in text.split()[:MOST_WORDS]:
            rows = rows.filter(Q(name__icontains=word) | Q(description__icontains=word))
        return rows


class SavedReport(models.Model):
    """A report that somebody defined and gave a name: their own, or shared with the members of a project.

    It has a definition and no figures: whoever reads it gets those of the projects that they may see.
    """

    name = NameField(max_length=LONGEST_NAME)
    description = models.CharField(max_length=LONGEST_DESCRIPTION, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=owner_gone,
        null=True,
        blank=True,
        related_name="saved_reports",
        help_text="Empty: their account was deleted.",
    )
    project = models.ForeignKey(
        Project,
        on_delete=project_gone,
        null=True,
        blank=True,
        related_name="saved_reports",
        help_text="Whose members may read it; empty: its owner alone.",
    )
    definition: Any = models.JSONField()
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts changes.")
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects = SavedReportQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            # Over shared ones and others together, so that neither sharing nor the end of a project makes two alike.
            models.UniqueConstraint(fields=["owner", "name"], name="saved_report_name_unique_of_owner"),
            models.CheckConstraint(
                name="saved_report_is_of_somebody", condition=Q(owner__isnull=False) | Q(project__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name
