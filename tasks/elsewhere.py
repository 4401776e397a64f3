"""What is known of the times of tasks that were completed elsewhere, before their import."""

from collections.abc import Iterable

from tasks.models import Episode, Task, TimeSource
from tasks.transitions import Status


def completed_at_unknown_times(tasks: Iterable[Task]) -> set[int]:
    """The ids of those of ``tasks`` that are completed, nobody knows when: ``completed_at`` is then that of the import.

    One query, and none if no task came from a file.
    """
    ids = [task.pk for task in tasks if task.status == Status.COMPLETED and task.external_id is not None]
    if not ids:
        return set()
    # The last one of each task, whose end is its present state.
    ended = dict(Episode.objects.filter(task__in=ids).order_by("task", "number").values_list("task_id", "ended_from"))
    return {pk for pk, source in ended.items() if source == TimeSource.UNKNOWN}
