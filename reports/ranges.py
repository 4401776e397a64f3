"""The periods that the pages offer: all time, which is the one they begin with, and the last days, weeks and months."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery
from django.http import QueryDict

from reports.parameters import Question
from reports.periods import AUTO, DEFAULT_LENGTH, BucketSize, Period, end_of_now, midnight
from reports.scopes import Scope
from taskproject.times import stamp
from tasks.models import Episode, EpisodeEnd, Project, TimeSource

#: Below this, a period begins and ends at full hours instead of at midnight.
SHORT = timedelta(days=2)
FROM_TO_BUCKET = ("from", "to", "bucket")


def _extreme(rows: "QuerySet[Episode]", time: str, *, is_last: bool) -> Subquery:
    ordered = rows.order_by(f"-{time}" if is_last else time)
    return Subquery(ordered.values(time)[:1])


def first_and_last_fact(scope: Scope) -> tuple[datetime | None, datetime | None]:
    """When the first task of the scope arrived, and when one last arrived or was completed; None if never."""
    here = Episode.objects.filter(project=OuterRef("pk"))
    arrived = here.exclude(entered_from=TimeSource.UNKNOWN)
    completed = here.filter(end=EpisodeEnd.COMPLETED).exclude(ended_from=TimeSource.UNKNOWN)
    # A few index lookups per project; the extremes over all projects would read every episode.
    ends = Project.objects.filter(pk__in=scope.project_ids).annotate(
        first=_extreme(arrived, "entered_at", is_last=False),
        arrival=_extreme(arrived, "entered_at", is_last=True),
        first_completion=_extreme(completed, "ended_at", is_last=False),
        completion=_extreme(completed, "ended_at", is_last=True),
    )
    ends_of_all = ends.aggregate(a=Min("first"), b=Min("first_completion"), c=Max("arrival"), d=Max("completion"))
    first = min((ends_of_all[name] for name in "ab" if ends_of_all[name]), default=None)
    return first, max((ends_of_all[name] for name in "cd" if ends_of_all[name]), default=None)


def has_facts(scope: Scope, period: Period) -> bool:
    """Whether anything can have been counted in ``period``: something had come in by its end and went on in it.

    A few index lookups, however much there is.
    """
    first, _ = first_and_last_fact(scope)
    if first is not None and period.end <= first:
        return False
    here = scope.of_project(Episode.objects.all())
    ended = Q(end__in=list(EpisodeEnd), ended_at__gte=period.start)
    return here.filter(end="").exists() or here.filter(ended).exists()


def is_all_time(filters: dict[str, str]) -> bool:
    """Whether ``filters`` leave the period open, so that it is the one that fits the facts."""
    return not filters.get("from") and not filters.get("to") and filters.get("bucket", AUTO) == AUTO


def with_all_time(query: QueryDict, question: Question, now: datetime) -> QueryDict:
    """``query`` with the period from the first fact of the question's scope to the last, in buckets that fit.

    It goes up to now while anything is open, since that goes on.
    """
    first, last = first_and_last_fact(question.scope)
    if first is None or last is None or first > now:
        return query
    zone = question.period.zone
    if question.scope.of_project(Episode.objects.filter(Q(end=""))).exists():
        last = max(last, now)
    if last - first < SHORT:
        hour = timedelta(hours=1)
        start = first - timedelta(minutes=first.minute, seconds=first.second, microseconds=first.microsecond)
        end = end_of_now(last, BucketSize.HOUR, zone)
        start = min(start, end - hour)
    else:
        start = midnight(first.astimezone(zone).date(), zone)
        end = midnight(last.astimezone(zone).date() + timedelta(days=1), zone)
    fitted = query.copy()
    fitted["from"], fitted["to"] = map(stamp, (start, end))
    fitted["bucket"] = AUTO
    return fitted


def presets(filters: dict[str, str]) -> list[tuple[str, str, bool]]:
    """Links to common periods as (text, query, is current); they keep project and time zone."""
    kept = {name: value for name, value in filters.items() if name not in FROM_TO_BUCKET}
    links = [("All time", urlencode(kept), is_all_time(filters))]
    for size in (BucketSize.HOUR, BucketSize.DAY, BucketSize.WEEK, BucketSize.MONTH):
        is_current = "from" not in filters and "to" not in filters and filters.get("bucket") == size
        links.append((f"Last {DEFAULT_LENGTH[size]} {size}s", urlencode(kept | {"bucket": size.value}), is_current))
    return links
