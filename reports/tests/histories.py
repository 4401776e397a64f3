"""Rows of history at chosen times, for reports that are checked against a recount."""

from datetime import datetime
from typing import Any

from tasks.models import Agent, Episode, EpisodeEnd, Project, Task, TimeSource


def episode(
    project: Project,
    entered: datetime,
    ended: datetime | None = None,
    *,
    started: datetime | None = None,
    agent: Agent | None = None,
    task: Task | None = None,
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
        **fields,
    )
