"""What all facts have in common: moments, measured numbers and words, each as a plain value."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from tasks.models import Agent, Episode, LabelOfSet, Task

#: From the least to the most.
PRIORITIES = ("low", "normal", "high", "urgent")
#: Measured in milliseconds, read in seconds.
SECONDS = {
    "lead", "queue", "cycle", "worked", "lateness", "duration", "age", "estimate", "time_to_answer", "wait",
    "time_not_started", "time_in_progress", "time_waiting", "time_in_review",
}  # fmt: skip
#: Either 0 or 1.
FLAGS = {
    "reopened", "imported", "inferred", "inferred_end", "first_try", "late", "on_time",
    "succeeded", "answered", "approved",
}  # fmt: skip
#: Measured in millionths.
MONEY = {"cost"}
#: Measured in millionths, read with four decimals.
RATIOS = {"score", "margin"}
#: The words of these are slugs of agents or names of users, of which ``me`` is whoever asks.
PEOPLE = {"agent", "assignee", "created_by", "answered_by", "reviewer", "former_agent"}


@dataclass
class Fact:
    """One fact. ``many``: the words of which it has any number.

    ``numbers``, ``flags`` and ``times``: what conditions read otherwise than measures, groups and periods do.
    """

    moments: dict[str, datetime | None]
    measures: dict[str, int | None]
    words: dict[str, str | None]
    many: dict[str, set[str]] = field(default_factory=dict)
    numbers: dict[str, int | None] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    times: dict[str, datetime | None] = field(default_factory=dict)


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    """Whole milliseconds, halves away from zero; nothing without both times."""
    if start is None or end is None:
        return None
    micros = (end - start) // timedelta(microseconds=1)
    sign = -1 if micros < 0 else 1
    return sign * ((abs(micros) + 500) // 1000)


def millionths(amount: Decimal) -> int:
    return int(amount * 1_000_000)


def minutes(many: int | None) -> int | None:
    return None if many is None else many * 60_000


def yes_or_no(holds: bool) -> str:
    return "yes" if holds else "no"


def priority(stored: int) -> str:
    return PRIORITIES[stored - 1]


def whose(agent: Agent | None) -> dict[str, str | None]:
    return {"agent": agent.slug if agent else None, "agent_kind": agent.kind if agent else None}


def person(user) -> str | None:
    """The slug of a user's agent, else their name."""
    if user is None:
        return None
    agent = Agent.objects.filter(user=user).first()
    return agent.slug if agent else user.username


def labels_of(task: Task) -> dict[str, set[str]]:
    return {"label": set(task.labels.values_list("name", flat=True))}


def labels_in(label_set: int | None) -> dict[str, set[str]]:
    """The labels that a row of the history keeps."""
    return {"label": set(LabelOfSet.objects.filter(label_set=label_set).values_list("name", flat=True))}


def creator_of(task_id: int | None, episode: int) -> str | None:
    kept = Episode.objects.filter(task_id=task_id, number=episode).first()
    return (kept.created_by or None) if kept else None
