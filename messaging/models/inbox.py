"""What a reader of the inbox has put aside; everything else about an item is read from where it is written."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class PutAside(models.Model):
    """An item of somebody's inbox that they snoozed or archived, for as long as nothing new happens to it.

    ``source`` and ``key`` name the item (see ``messaging.inbox.sources``), ``since`` the occasion that was put aside:
    an item that came up later than that is shown again. Without ``until`` it is archived.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="put_aside")
    source = models.CharField(max_length=20)
    key = models.BigIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "put aside"
        constraints = [models.UniqueConstraint(fields=["user", "source", "key"], name="put_aside_once")]
        indexes = [models.Index(fields=["until"], name="put_aside_until", condition=Q(until__isnull=False))]

    def __str__(self) -> str:
        return f"{self.source} {self.key} by {self.user_id}"
