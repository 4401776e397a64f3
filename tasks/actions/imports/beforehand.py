"""Comparing a file with its project before the transaction, where that would keep all other writers waiting.

SQLite has one writer. So the comparison, which takes as long as the writing, is made without its lock; under the lock
it is only asked whether the comparison still holds, and if not, it is made again.
"""

from dataclasses import dataclass
from typing import Any

from tasks.actions.imports.draft import Draft
from tasks.events import kinds
from tasks.models import Event, Membership, Project

#: Events that change what any task of a file may refer to. Others matter only for the tasks of the file: agents that
#: work on other tasks meanwhile do not.
STRUCTURAL = (
    kinds.TASK_CREATED,
    kinds.TASK_IMPORTED,
    kinds.TASK_REIMPORTED,
    kinds.TASK_EDITED,
    kinds.TASK_DELETED,
    kinds.TASK_DEPENDENCIES_ADDED,
    kinds.TASK_DEPENDENCIES_REMOVED,
    kinds.PROJECT_EDITED,
)


@dataclass(frozen=True)
class Moment:
    """The state of a project before something was read of it."""

    event_id: int
    members: frozenset[Any]


def moment_of(project: Project) -> Moment:
    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
    members = Membership.objects.filter(project=project).order_by()
    return Moment(last or 0, frozenset(members.values_list("user_id", "role", "user__agent__enabled")))


def still_holds(draft: Draft, since: Moment) -> bool:
    """Whether nothing has happened after ``since`` that the draft would see differently."""
    happened = Event.objects.filter(project=draft.project, pk__gt=since.event_id).order_by()
    if happened.filter(kind__in=STRUCTURAL).exists() or moment_of(draft.project).members != since.members:
        return False
    touched = set(happened.filter(task__isnull=False).values_list("task_id", flat=True))
    return touched.isdisjoint(draft.node_of_task)
