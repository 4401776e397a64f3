"""The dimensions that several facts share. ``path``: how the fact refers to the row that has the value."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import BooleanField, Case, CharField, F, OuterRef, Q, Subquery, TextChoices, Value, When
from django.db.models.functions import Coalesce, NullIf

from reports.vocabulary.declaration import Dimension, filled
from tasks.models import Agent, AgentKind, Episode, Priority, Project

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


def label(
    path: str = "label_set__labels__name",
    meaning: str = "The task’s labels as they were when it ended, or are while it goes on; it counts once for each.",
) -> Dimension:
    return Dimension("label", "Label", F(path), meaning, nothing="Without a label", is_many=True)


def person(name: str, label: str, path: str, meaning: str, nothing: str = "Nobody") -> Dimension:
    """A user: the slug of an agent, else the username."""
    slug = Coalesce(F(f"{path}__agent__slug"), F(f"{path}__username"), output_field=CharField())
    return Dimension(name, label, slug, meaning, nothing=nothing, is_whoever=True, names=agent_names)


_CREATED_BY = "Who created the task."


def creator_of_a_task() -> Dimension:
    return person("created_by", "Created by", "created_by", _CREATED_BY, "Nobody, or deleted")


def created_by(expression: Any = None) -> Dimension:
    """The creator by the name that the history keeps."""
    return Dimension(
        "created_by",
        "Created by",
        NullIf(expression or F("created_by"), Value("")),
        _CREATED_BY,
        nothing="Nobody",
        is_whoever=True,
        names=agent_names,
    )


def creator_of_its_episode() -> Dimension:
    episodes = Episode.objects.filter(task_id=OuterRef("task_id"), number=OuterRef("episode"))
    return created_by(Subquery(episodes.order_by().values("created_by")[:1]))


def flag(name: str, label: str, condition: Q, meaning: str, *, yes: str = "Yes", no: str = "No") -> Dimension:
    """Whether ``condition`` holds."""
    expression = Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
    return Dimension(name, label, expression, meaning, choices={True: ("yes", yes), False: ("no", no)})
