"""The dimensions that several facts share. ``path``: how the fact refers to the row that has the value."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import BooleanField, Case, CharField, F, OuterRef, Q, Subquery, TextChoices, Value, When
from django.db.models.functions import Coalesce

from reports.vocabulary.declaration import Dimension, filled
from tasks.models import Agent, AgentKind, Priority, Project, Task

PRIORITIES = {priority.value: (priority.name.lower(), str(priority.label)) for priority in reversed(Priority)}


def choices(kind: type[TextChoices]) -> dict[Any, tuple[str, str]]:
    """The words and labels of ``kind``, in its order."""
    return {choice.value: (str(choice.value), str(choice.label)) for choice in kind}


def _project_names(keys: Collection[str]) -> Mapping[str, str]:
    return dict(Project.objects.filter(key__in=keys).values_list("key", "name"))


def agent_names(slugs: Collection[str]) -> Mapping[str, str]:
    return dict(Agent.objects.filter(slug__in=slugs).values_list("slug", "name"))


def project(path: str = "project") -> Dimension:
    return Dimension("project", "Project", F(f"{path}__key"), "Its project, by key.", names=_project_names)


def agent(path: str = "agent", meaning: str = "Who worked, by slug.", nothing: str = "Nobody") -> Dimension:
    return Dimension("agent", "Agent", F(f"{path}__slug"), meaning, nothing=nothing, is_whoever=True, names=agent_names)


def agent_kind(path: str = "agent", nothing: str = "Nobody") -> Dimension:
    return Dimension(
        "agent_kind",
        "Kind of agent",
        F(f"{path}__kind"),
        "Whether a person or an LLM worked.",
        choices=choices(AgentKind),
        nothing=nothing,
    )


def version(field: str = "version") -> Dimension:
    return Dimension(
        "version", "Version", filled(field), "The agent's version when its run began.", nothing="Without a version"
    )


def priority(field: str = "priority", name: str = "priority", label: str = "Priority") -> Dimension:
    return Dimension(name, label, F(field), "low, normal, high or urgent.", choices=PRIORITIES, is_ordered=True)


def label(path: str = "task") -> Dimension:
    return Dimension(
        "label",
        "Label",
        F(f"{path}__labels__name" if path else "labels__name"),
        "Its labels, as they are now; it counts once for each.",
        nothing="Without a label",
        is_many=True,
    )


def person(name: str, label: str, path: str, meaning: str, nothing: str = "Nobody") -> Dimension:
    """A user: the slug of an agent, else the username."""
    slug = Coalesce(F(f"{path}__agent__slug"), F(f"{path}__username"), output_field=CharField())
    return Dimension(name, label, slug, meaning, nothing=nothing, is_whoever=True, names=agent_names)


def created_by(path: str = "task") -> Dimension:
    meaning, nothing = "Who created the task.", "Nobody, or deleted"
    if not path:
        return person("created_by", "Created by", "created_by", meaning, nothing)
    # Not joined: history outlives its task, and a join would drop it.
    task = Task.objects.filter(pk=OuterRef(f"{path}_id"))
    slug = Coalesce(F("created_by__agent__slug"), F("created_by__username"), output_field=CharField())
    return Dimension(
        "created_by",
        "Created by",
        Subquery(task.values(slug=slug)[:1]),
        meaning,
        nothing=nothing,
        is_whoever=True,
        names=agent_names,
    )


def flag(name: str, label: str, condition: Q, meaning: str, *, yes: str = "Yes", no: str = "No") -> Dimension:
    """Whether ``condition`` holds."""
    expression = Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
    return Dimension(name, label, expression, meaning, choices={True: ("yes", yes), False: ("no", no)})
