"""Links by which whoever has one joins a project, with a new account or their own."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models.project import Project, Role
from tasks.querysets import InvitationLinkQuerySet


class InvitationLink(models.Model):
    """A manager's invitation to whoever is given the link; only the digest of its secret is stored.

    It stands until it expires, is revoked, has been used if it is for one person, or its maker stops managing the
    project. Rows are kept: the page of a link that ended says why.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitation_links")
    role = models.CharField(max_length=10, choices=Role)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    note = models.CharField(max_length=80, blank=True)
    once = models.BooleanField(default=True)
    uses = models.PositiveIntegerField(default=0)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="invitation_link_role_known", condition=Q(role__in=Role.values)),
            models.CheckConstraint(name="invitation_link_used_once", condition=Q(once=False) | Q(uses__lte=1)),
        ]

    def __str__(self) -> str:
        return f"link to {self.project.key} as {self.role}"
