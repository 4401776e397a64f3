"""Who was here with an open page."""

from django.conf import settings
from django.db import models


class Seen(models.Model):
    """When a person was last seen with an open stream of a session, written behind. Agents that call with a token have
    ``last_seen_at``, which also says whether they can be given work; this says nothing of the kind.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="seen"
    )
    at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.at:%Y-%m-%d %H:%M}"
