"""Rows of history at chosen times, for reports that are checked against a recount."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from tasks.history.labels import digest_of
from tasks.models import Agent, Episode, EpisodeEnd, LabelOfSet, LabelSet, Project, Task, TimeSource


def episode(
    project: Project,
    entered: datetime,
    ended: datetime | None = None,
    *,
    started: datetime | None = None,
    agent: Agent | None = None,
    task: Task | None = None,
    labels: Collection[str] = (),
    **fields: Any,
) -> Episode:
    """An episode of a task, completed if it ended; without a task, of one that is deleted."""
    number = Episode.objects.count() + 1
    fields = {"end": EpisodeEnd.COMPLETED if ended else "", "ended_from": TimeSource.HERE if ended else ""} | fields
    return Episode.objects.create(
        project=project,
        task_id=task.pk if task else 10_000 + number,
        task_ref=task.ref if task else f"{project.key}-{number}",
        number=Episode.objects.filter(task=task).count() + 1 if task else 1,
        entered_at=entered,
        started_at=started,
        ended_at=ended,
        agent=agent,
        label_set=label_set_of(project, labels),
        **fields,
    )


def label_set_of(project: Project, names: Collection[str]) -> LabelSet | None:
    """The set of these labels; None for none."""
    if not names:
        return None
    label_set, is_new = LabelSet.objects.get_or_create(project=project, digest=digest_of(names))
    if is_new:
        LabelOfSet.objects.bulk_create(LabelOfSet(label_set=label_set, name=name) for name in names)
    return label_set
