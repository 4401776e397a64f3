"""How far each follower has read the stream."""

from django.db import models


class FollowerCursor(models.Model):
    """How far a follower with effects has read the stream; moved in the transaction of its effect."""

    name = models.CharField(max_length=60, unique=True)
    event_id = models.BigIntegerField()
    moved_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
