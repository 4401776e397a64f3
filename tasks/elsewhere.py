"""What is known of the times of tasks that were completed elsewhere, before their import."""

from collections.abc import Iterable

from tasks.models import Episode, Task, TimeSource
from tasks.transitions import Status


def completed_at_unknown_times(tasks: Iterable[Task]) -> set[int]:
    """The ids of those of ``tasks`` that are completed, nobody knows when: ``completed_at`` is then that of the import.

    One query, and none if no task came from a file.
    """
    completed = {
        task.pk: task.completed_at
        for task in tasks
        if task.status == Status.COMPLETED and task.completed_at is not None and task.external_id is not None
    }
    if not completed:
        return set()
    # The last one of each task, whose end is its present state.
    episodes = Episode.objects.filter(task__in=completed).order_by("task", "number")
    ended = {pk: (source, at) for pk, source, at in episodes.values_list("task_id", "ended_from", "ended_at")}
    # A later file may have said when it was: the task has that time, and what is over in its history stays.
    return {pk for pk, (source, at) in ended.items() if source == TimeSource.UNKNOWN and at and completed[pk] >= at}
