"""The tables that the history is made from and kept in: those of today, or in a migration those of then."""

from typing import Any, NamedTuple

from django.apps import apps as today


class Tables(NamedTuple):
    """Model classes, by what the history uses them for."""

    event: Any
    interval: Any
    episode: Any
    task: Any
    run: Any
    agent: Any
    assignment: Any
    question: Any
    asked: Any
    step: Any
    decision: Any
    label_set: Any
    label_of_set: Any


def tables_of(apps: Any = today) -> Tables:
    names = (
        "Event",
        "StatusInterval",
        "Episode",
        "Task",
        "Run",
        "Agent",
        "Assignment",
        "Question",
        "AskedQuestion",
        "AssignmentStep",
        "AssignmentDecision",
        "LabelSet",
        "LabelOfSet",
    )
    return Tables(*(apps.get_model("tasks", name) for name in names))
