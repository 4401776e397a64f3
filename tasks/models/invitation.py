"""Invitations: an account that its inviter may not simply add to a project is asked first."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models.project import Project, Role
from tasks.querysets import InvitationQuerySet


class InvitationEnd(models.TextChoices):
    ACCEPTED = "accepted", "Accepted"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Invitation(models.Model):
    """A manager's request that somebody joins a project, until it is answered or withdrawn.

    ``name`` is what the manager wrote; ``user`` is empty if nobody has that name: to the manager it looks the same.
    It stands only as long as its maker manages the project.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    name = models.CharField(max_length=150)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="invitations")
    role = models.CharField(max_length=10, choices=Role)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_as = models.CharField(max_length=10, choices=InvitationEnd, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=Q(ended_at__isnull=True), name="invitation_one_open_per_name"
            ),
            models.CheckConstraint(name="invitation_role_known", condition=Q(role__in=Role.values)),
            models.CheckConstraint(
                name="invitation_ended_somehow",
                condition=Q(ended_at__isnull=True, ended_as="")
                | Q(ended_at__isnull=False, ended_as__in=InvitationEnd.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.project.key} as {self.role}"

    @property
    def state(self) -> str:
        return self.ended_as or "pending"
