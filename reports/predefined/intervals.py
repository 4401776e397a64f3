"""Intervals of a status as the reports about flow read them."""

from datetime import datetime

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When
from django.db.models import Sum as Together

from reports.periods import Period
from reports.scopes import Scope
from reports.sql import Milliseconds
from tasks.models import StatusInterval


def all_of(scope: Scope) -> "QuerySet[StatusInterval]":
    """Every interval of the scope."""
    return scope.of_project(StatusInterval.objects.all()).order_by()


def open_at(moment: datetime) -> Q:
    """Whether an interval goes on at ``moment``: what begins then is not yet there, as in periods."""
    return Q(Q(ended_at__isnull=True) | Q(ended_at__gte=moment), began_at__lt=moment)


def clipped(scope: Scope, period: Period, until: datetime) -> "QuerySet[StatusInterval]":
    """Each interval of which a part lies in the period, with ``part``: how long that is, in whole milliseconds.

    ``until``: up to when an interval that goes on counts, the end of the period at the latest.
    """
    rows = all_of(scope).filter(Q(ended_at__isnull=True) | Q(ended_at__gt=period.start), began_at__lt=until)
    return rows.annotate(
        part=Milliseconds(
            Case(When(began_at__lt=period.start, then=Value(period.start)), default=F("began_at")),
            Case(When(ended_at__lt=until, then=F("ended_at")), default=Value(until)),
        )
    )


def together(parts: "QuerySet[StatusInterval]", *by: str, name: str) -> QuerySet:
    """The parts of each task added up as ``name``, by further columns.

    The task is a sum, not a column: by the column, SQLite walks all intervals in the order of tasks rather than those
    of the period.
    """
    of_task = parts.annotate(of_task=F("task_id") + Value(0, output_field=IntegerField()))
    return of_task.values("of_task", *by).annotate(**{name: Together("part")})
