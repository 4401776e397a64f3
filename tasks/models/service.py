"""What the service stores for itself: the engine's clock."""

from django.db import models


class EngineState(models.Model):
    """A single row: when an engine last ran, so that an outage is noticed and costs no leases."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_tick_at = models.DateTimeField()
    settled_event_id = models.BigIntegerField(default=0, help_text="The id up to which all events can be read.")

    class Meta:
        constraints = [models.CheckConstraint(name="engine_state_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"last tick {self.last_tick_at:%Y-%m-%d %H:%M:%S}"
