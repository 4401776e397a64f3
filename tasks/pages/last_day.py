"""What agents finished in the last day, hour by hour, and what it cost: the small chart beside an agent's name."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncHour

from tasks.models import Run, RunStatus

HOURS: Final = 24
#: The chart in units of its view box: a column an hour, as high as its share of the fullest hour.
COLUMN: Final = 4
HEIGHT: Final = 20
LEAST: Final = 2


@dataclass(frozen=True)
class Column:
    """An hour in the chart: completed runs below, those that ended otherwise above."""

    x: int
    done: int
    other: int

    @property
    def done_y(self) -> int:
        return HEIGHT - self.done

    @property
    def other_y(self) -> int:
        return HEIGHT - self.done - self.other


@dataclass
class LastDay:
    """An agent's runs that ended in the last 24 hours and that the reader may see, by hour; the newest hour last.

    ``cost``: what these runs reported, in the currency that the agents report in.
    """

    completed: list[int] = field(default_factory=lambda: [0] * HOURS)
    others: list[int] = field(default_factory=lambda: [0] * HOURS)
    cost: Decimal = Decimal(0)

    @property
    def done(self) -> int:
        return sum(self.completed)

    @property
    def not_done(self) -> int:
        return sum(self.others)

    @property
    def is_empty(self) -> bool:
        return not self.done and not self.not_done

    @property
    def columns(self) -> list[Column]:
        """The hours in which anything ended; the fullest is as high as the chart."""
        fullest = max(completed + other for completed, other in zip(self.completed, self.others, strict=True))
        columns = []
        for hour, (completed, other) in enumerate(zip(self.completed, self.others, strict=True)):
            if completed or other:
                columns.append(Column(hour * COLUMN, _height(completed, fullest), _height(other, fullest)))
        return columns

    @property
    def words(self) -> str:
        """The chart for those who do not see it."""
        ended = f"{self.done} completed"
        return f"{ended}, {self.not_done} ended otherwise" if self.not_done else ended


def _height(count: int, fullest: int) -> int:
    """At least ``LEAST``, so that one run in a full day is still seen."""
    return max(LEAST, round(count / fullest * HEIGHT)) if count else 0


def last_days(agents: Iterable[int], projects: Collection[int], now: datetime) -> dict[int, LastDay]:
    """The last day of these agents (by id) in these projects (by id), up to ``now``. One query, however much ended."""
    days = {agent: LastDay() for agent in agents}
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    is_completed = Q(status=RunStatus.COMPLETED)
    ended: Any = (
        Run.objects.filter(agent__in=days, ended_at__gte=first, ended_at__lte=now, task__project__in=projects)
        .order_by()
        .values("agent", hour=TruncHour("ended_at", tzinfo=UTC))
        .annotate(completed=Count("pk", filter=is_completed), runs=Count("pk"), spent=Sum(F("cost")))
    )
    for row in ended:
        day, hour = days[row["agent"]], int((row["hour"] - first).total_seconds() // 3600)
        day.completed[hour] += row["completed"]
        day.others[hour] += row["runs"] - row["completed"]
        day.cost += row["spent"] or 0
    return days
