"""What can be counted: each fact is a queryset that defines what one row is and at what time it counts."""

from datetime import timedelta

from django.db.models import QuerySet

from reports.periods import Period
from reports.scopes import Scope
from reports.sql import BucketIndex, Instant, Milliseconds, Word
from tasks.events import kinds
from tasks.models import Event, Run, Task
from tasks.transitions import Status


def completions(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each move of a task to *completed* that happened here, at the time it happened: its event.

    A task that was reopened and completed again counts twice.
    """
    moves = scope.of_project(Event.objects.all()).filter(kind=kinds.TASK_STATUS_CHANGED, at__gte=period.start)
    return moves.filter(at__lt=period.end).alias(to=Word("data", "to")).filter(to=Status.COMPLETED)


def imported_completions(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each completion that happened elsewhere, at its real time (``completed``): the ``task.imported`` events.

    The importer writes one such event per task, with the status and ``completed_at`` from the file. It has no status
    change event, so nothing is counted twice; and being an event, it stays when the task is reopened here or deleted.
    """
    # A file describes the past (up to a day ahead, since clocks differ): earlier imports cannot be in the period.
    since = period.start - timedelta(days=1)
    imports = scope.of_project(Event.objects.all()).filter(kind=kinds.TASK_IMPORTED, at__gte=since)
    return (
        imports.alias(to=Word("data", "to"))
        .filter(to=Status.COMPLETED)
        .annotate(completed=Instant(Word("data", "completed_at")))
        .filter(completed__gte=period.start, completed__lt=period.end)
    )


def completed_tasks(scope: Scope, period: Period) -> "QuerySet[Task]":
    """Each task whose last completion is in the period, including imported ones; with two durations in milliseconds.

    ``lead``: created → last completion. ``cycle``: first start → last completion; NULL if no start is known.
    """
    tasks = scope.of_project(Task.objects.all()).filter(completed_at__gte=period.start, completed_at__lt=period.end)
    return tasks.annotate(
        lead=Milliseconds("created_at", "completed_at"), cycle=Milliseconds("started_at", "completed_at")
    )


def runs_in(scope: Scope, period: Period) -> "QuerySet[Run]":
    """Each run that was active at some time in the period."""
    runs = Run.objects.filter(started_at__lt=period.end).exclude(ended_at__lte=period.start)
    return scope.of_task(runs)


def bucket(field: str, period: Period) -> BucketIndex:
    """The index in ``period.buckets`` of the bucket that the time ``field`` falls into."""
    return BucketIndex(field, period.edges)
