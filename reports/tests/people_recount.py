"""The reports about agents counted again in plain Python, from the ledger of a ``PeopleWalk``."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from reports.tests.people_ledger import Ledger, Pass, SeenRun
from tasks.matching.working_hours import parse, working_times
from tasks.models import Project, Task

HOURS, BERLIN = parse("Mon-Fri 09:00-17:00"), ZoneInfo("Europe/Berlin")
Key = Any


class Recount:
    """Figures of the projects ``keys`` between two times; ``now`` lies at or after the ledger's last step."""

    def __init__(self, ledger: Ledger, keys: set[str], start: datetime, end: datetime, now: datetime) -> None:
        self.ledger, self.keys, self.start, self.end, self.now = ledger, keys, start, end, now
        self.projects = set(Project.objects.filter(key__in=keys).values_list("pk", flat=True))
        self.until = max(start, min(end, now))

    def within(self, moment: datetime | None) -> bool:
        return moment is not None and self.start <= moment < self.end

    def is_of(self, project: int) -> bool:
        return project in self.projects

    # What is counted

    def completions(self, *, imported: bool = True) -> list[Pass]:
        done = [each for key, each in self.ledger.done if key in self.keys and each.known]
        return [each for each in done if self.within(each.completed) and (imported or not each.imported)]

    def ended(self) -> list[SeenRun]:
        return [run for run in self.runs() if self.within(run.ended)]

    def active(self) -> list[SeenRun]:
        there = [run for run in self.runs() if run.began < self.until]
        return [run for run in there if run.ended is None or run.ended > self.start]

    def runs(self) -> list[SeenRun]:
        return [run for run in self.ledger.runs.values() if run.project in self.keys]

    def not_started(self) -> list[tuple[str, int]]:
        """Each task that nobody has begun now with each of its assignees, or with nobody."""
        tasks = Task.objects.filter(project__in=self.projects, status="not_started")
        assigned = {
            task.pk: task.assignments.filter(ended_at=None).values_list("agent__slug", flat=True) for task in tasks
        }
        return [(slug, task) for task, slugs in assigned.items() for slug in slugs or ["Nobody"]]

    def spans(self, agent: str) -> Iterator[tuple[datetime, datetime, int]]:
        """When ``agent`` could be given work, and how many tasks."""
        steps = [(max(at, self.start), could) for at, could in self.ledger.could]
        steps[0] = (self.start, steps[0][1])
        for (since, could), (until, _) in pairwise([*steps, (self.until, {})]):
            capacity = max((could[key].get(agent, 0) for key in self.keys), default=0)
            until = min(until, self.until)
            if since < until and capacity:
                hours = HOURS if agent == "hugo" else ()
                yield from ((*times, capacity) for times in working_times(hours, BERLIN, since, until))

    # Figures

    def worked(self, run: SeenRun) -> float:
        return _seconds(max(run.began, self.start), min(run.ended or self.until, self.until))

    def worked_within(self, run: SeenRun) -> float:
        ended = run.ended or self.until
        overlaps = ((max(run.began, begins), min(ended, ends)) for begins, ends, _ in self.spans(run.agent))
        return sum(_seconds(begins, ends) for begins, ends in overlaps if begins < ends)

    def could_seconds(self, agent: str) -> float:
        return sum(_seconds(begins, ends) for begins, ends, _ in self.spans(agent))

    def capacity_seconds(self, agent: str) -> float:
        return sum(_seconds(begins, ends) * capacity for begins, ends, capacity in self.spans(agent))


def row_of(each: Pass) -> str:
    return each.whose or each.agent or "Nobody"


def grouped(facts: Iterable[Any], key: Callable[[Any], Key]) -> dict[Key, list[Any]]:
    groups: dict[Key, list[Any]] = defaultdict(list)
    for fact in facts:
        groups[key(fact)].append(fact)
    return groups


def percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def percentile(values: list[Any], fraction: Any) -> Any:
    """Type 7 of Hyndman and Fan."""
    if not values:
        return None
    ordered, place = sorted(values), fraction * (len(values) - 1)
    low = ordered[int(place)]
    high = ordered[min(int(place) + 1, len(ordered) - 1)]
    return low + (high - low) * (place - int(place))


def mean(values: list[Decimal]) -> Decimal | None:
    return round(sum(values, Decimal(0)) / len(values), 6) if values else None


def _seconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()
