"""What the service stores for itself: when engines ran, and until when a server could answer."""

from django.db import models


class EngineState(models.Model):
    """A single row: when an engine last ran, and what all engines have done together."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_tick_at = models.DateTimeField()
    settled_event_id = models.BigIntegerField(default=0, help_text="The id up to which all events can be read.")
    leases_lost = models.BigIntegerField(default=0, help_text="Runs that engines ended because nobody renewed them.")

    class Meta:
        constraints = [models.CheckConstraint(name="engine_state_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"last tick {self.last_tick_at:%Y-%m-%d %H:%M:%S}"


class ServerState(models.Model):
    """A single row: until when any server could answer, so that an outage is noticed and costs no leases."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    answering_until = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="server_state_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"answering until {self.answering_until:%Y-%m-%d %H:%M:%S}"
