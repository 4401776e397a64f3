"""Rows that the service keeps for itself: answers given under an idempotency key, and the engine's clock."""

from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """The answer given to a request that carried an Idempotency-Key; kept 24 h, written with the effect."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    body_digest = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key", "path"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.key} on {self.path}"


class EngineState(models.Model):
    """One row: when an engine last ran, so that an outage is noticed and leases are not lost to it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_tick_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="engine_state_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"last tick {self.last_tick_at:%Y-%m-%d %H:%M:%S}"
