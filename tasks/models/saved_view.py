"""Views that people name and keep: what the list or the board shows at an address."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from taskproject.texts import NameField
from tasks.models.owned import LONGEST_NAME, owner_gone, project_gone, readable_by
from tasks.models.project import Project

LONGEST_QUERY = 4_000


class ViewPlace(models.TextChoices):
    LIST = "list", "List"
    BOARD = "board", "Board"


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, user: Any) -> Self:
        """Those that ``user`` may read."""
        return self.filter(readable_by(user))


class SavedView(models.Model):
    """A view of tasks that somebody named: their own, or shared with the members of a project.

    It has the query of an address and no tasks: whoever opens it sees those of their own projects.
    """

    name = NameField(max_length=LONGEST_NAME)
    place = models.CharField(max_length=10, choices=ViewPlace)
    query = models.CharField(max_length=LONGEST_QUERY, blank=True, help_text="As after the ? of an address.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=owner_gone,
        null=True,
        blank=True,
        related_name="saved_views",
        help_text="Empty: their account was deleted.",
    )
    project = models.ForeignKey(
        Project,
        on_delete=project_gone,
        null=True,
        blank=True,
        related_name="saved_views",
        help_text="Whose members may read it; empty: its owner alone.",
    )
    position = models.PositiveIntegerField(default=0, help_text="Its place among its owner's own, or its project's.")
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts changes.")
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            # Over shared ones and others together, so that neither sharing nor the end of a project makes two alike.
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_unique_of_owner"),
            models.CheckConstraint(
                name="saved_view_is_of_somebody", condition=Q(owner__isnull=False) | Q(project__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name
