"""Completions as the reports about agents count them: episodes that ended in them at a known time."""

from django.db.models import QuerySet

from reports.periods import Period
from reports.scopes import Scope
from reports.vocabulary.episodes import COMPLETED, END_KNOWN, UNKNOWN
from tasks.models import Episode


def all_of(scope: Scope) -> "QuerySet[Episode]":
    """Every episode of the scope."""
    return scope.of_project(Episode.objects.order_by())


def completed(scope: Scope, period: Period) -> "QuerySet[Episode]":
    """Each episode that was completed in the period, here or elsewhere."""
    return all_of(scope).filter(COMPLETED, END_KNOWN, ended_at__gte=period.start, ended_at__lt=period.end)


def notes_on_unknown(scope: Scope, period: Period) -> tuple[str, ...]:
    """What completions the figures leave out because nobody knows when they happened."""
    unknown = all_of(scope).filter(COMPLETED, ended_from=UNKNOWN, ended_at__lt=period.end).count()
    is_or_are = "is" if unknown == 1 else "are"
    return (f"{unknown:,} completed at an unknown time {is_or_are} in no figure.",) if unknown else ()
