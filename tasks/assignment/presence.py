"""Whether an agent would be given work now, in one word that pages, admin and API share."""

from datetime import datetime

from django.db.models import TextChoices

from tasks.assignment.candidates import barred
from tasks.matching import facts
from tasks.models import Agent


class State(TextChoices):
    AVAILABLE = "available", "Available"
    OFF_HOURS = "off_hours", "Off hours"
    SILENT = "silent", "Silent"
    NEVER_SEEN = "never_seen", "Never seen"
    PAUSED = "paused", "Paused"
    DISABLED = "disabled", "Disabled"


_OF_CODE = {
    facts.DISABLED: State.DISABLED,
    facts.PAUSED: State.PAUSED,
    facts.SILENT: State.SILENT,
    facts.OFF_HOURS: State.OFF_HOURS,
}


def state_of(agent: Agent, now: datetime) -> State:
    """What keeps ``agent`` from any work at ``now``, or that nothing does."""
    state = _OF_CODE.get(barred(agent, now), State.AVAILABLE)
    return State.NEVER_SEEN if state is State.SILENT and agent.last_seen_at is None else state
