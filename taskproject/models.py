"""What the ground floor stores for itself: answers given under an Idempotency-Key, counts of wrong passwords, which
browsers are signed in, and when what is past its retention was deleted.
"""

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

#: How long an answer is repeated.
KEPT = timedelta(hours=24)


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def outdated(self) -> Self:
        """Stored long enough: the key may be used for another request."""
        return self.filter(created_at__lte=Now() - KEPT)


class IdempotencyKey(models.Model):
    """The answer given to a request that carried an Idempotency-Key; kept 24 h, written with the effect."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    #: ``Reach.key`` of the credentials: tokens of one user that reach other projects have keys of their own.
    reach = models.CharField(max_length=64, default="")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    body_digest = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "reach", "key", "path"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.key} on {self.path}"


class KeptCountQuerySet(models.QuerySet["KeptCount"]):
    def past(self) -> Self:
        """Those that limit nothing any more."""
        return self.filter(until__lte=Now())


class KeptCount(models.Model):
    """A count against a limit that all processes share through the database; see ``taskproject.counts``."""

    key = models.CharField(max_length=200, primary_key=True)
    window = models.BigIntegerField()
    before = models.PositiveIntegerField()
    now = models.PositiveIntegerField()
    until = models.DateTimeField(db_index=True)

    objects = KeptCountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.key}: {self.before}, {self.now}"


class SignIn(models.Model):
    """A browser that somebody is signed in with, beside Django's session, which does not say whose it is.

    A row whose session is gone counts for nothing; it goes at the next sign-in.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, unique=True)
    device = models.CharField(max_length=300)
    signed_in_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_seen_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.signed_in_at}"


class Pruned(models.Model):
    """When the last round over rows of one kind ended that deletes what is past its retention; see ``pruning``."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    removed = models.PositiveIntegerField(help_text="How many rows that round deleted.")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "pruned"

    def __str__(self) -> str:
        return f"{self.name}: {self.removed} at {self.at:%Y-%m-%d %H:%M}"
