"""The figures of the reports about flow, counted again from the events in plain Python, row by row."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from tasks.models import Event

ENDED = ("completed", "failed", "cancelled")
REASONS = {"waiting": "answer", "in_review": "review"}


@dataclass
class Stay:
    """A time in one status for one reason."""

    task: int
    episode: int
    status: str
    reason: str
    began: datetime
    ended: datetime | None = None


@dataclass
class Life:
    """An episode."""

    task: int
    ref: str
    number: int
    entered: datetime
    source: str = "here"
    started: datetime | None = None
    ended: datetime | None = None
    end: str = ""
    ended_source: str = ""
    reopened: bool = False
    imported: bool = False
    continues: bool = False

    @property
    def lead(self) -> int | None:
        return None if self.source == "unknown" else milliseconds(self.entered, self.ended)

    @property
    def queue(self) -> int | None:
        return None if self.source == "unknown" or self.started is None else milliseconds(self.entered, self.started)

    @property
    def cycle(self) -> int | None:
        return None if self.started is None else milliseconds(self.started, self.ended)


@dataclass
class History:
    lives: list[Life] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)


def milliseconds(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds() * 1000)


def history_of(events: Iterable[Event]) -> History:
    """What became of each task, told from its events in their order."""
    history = History()
    lives: dict[int, Life] = {}
    stays: dict[int, Stay] = {}

    def stop(task: int, at: datetime) -> None:
        if stay := stays.pop(task, None):
            stay.ended = at

    def stay(event: Event, status: str, at: datetime, reason: str | None = None) -> None:
        life = lives[event.task_id]
        if reason is None:
            reason = event.data.get("waits_for", "") if status == "not_started" else REASONS.get(status, "")
        stays[event.task_id] = Stay(event.task_id, life.number, status, reason, at)
        history.stays.append(stays[event.task_id])
        if status == "in_progress" and life.started is None:
            life.started = at

    def enter(event: Event, at: datetime, **facts: Any) -> Life:
        former = lives.get(event.task_id)
        number = former.number + 1 if former else 1
        lives[event.task_id] = Life(event.task_id, event.task_ref, number, at, **facts)
        history.lives.append(lives[event.task_id])
        return lives[event.task_id]

    for event in events:
        data, at = event.data, event.at
        if event.task_id is None:
            continue
        if event.kind == "task.created":
            enter(event, at)
            stay(event, "not_started", at)
        elif event.kind == "task.imported":
            _bring_in(event, enter, stay, stop)
        elif event.kind == "task.deleted":
            if not lives[event.task_id].end:
                _end(lives[event.task_id], "deleted", at)
            stop(event.task_id, at)
        elif data.get("to"):
            former = lives[event.task_id]
            if data["from"] in ENDED and data["to"] == "not_started":
                enter(event, at, reopened=former.end == "completed")
            elif data["from"] in ENDED:
                enter(event, former.entered, source=former.source, started=former.started, continues=True)
            stop(event.task_id, at)
            if data["to"] in ENDED:
                _end(lives[event.task_id], data["to"], at)
            else:
                stay(event, data["to"], at)
        elif "waits_for" in data and data["waits_for"] != stays[event.task_id].reason:
            stop(event.task_id, at)
            stay(event, "not_started", at)
    return history


def _end(life: Life, end: str, at: datetime, source: str = "here", *, imported: bool = False) -> None:
    life.end, life.ended, life.ended_source, life.imported = end, at, source, imported


def _bring_in(event: Event, enter: Any, stay: Any, stop: Any) -> None:
    data, at = event.data, event.at
    created, started, completed = (
        datetime.fromisoformat(data[name]) if data.get(name) else None
        for name in ("created_at", "started_at", "completed_at")
    )
    created = created or at
    life = enter(event, created, source=data.get("created_from", "here"), started=started)
    if data["to"] != "completed":
        if created < at:
            stay(event, "not_started", created, "elsewhere")
            stop(event.task_id, at)
        stay(event, data["to"], at)
        return
    is_known = data.get("completed_from", "given") != "unknown"
    end = completed if completed and is_known else at
    began = started or end
    if created < began:
        stay(event, "not_started", created, "elsewhere")
        stop(event.task_id, began)
    if began < end:
        stay(event, "in_progress", began, "")
        stop(event.task_id, end)
    _end(life, "completed", end, data.get("completed_from", "given"), imported=True)


# Figures


def percentile(values: Iterable[int], share: Fraction) -> Fraction | None:
    """Type 7 of Hyndman & Fan, in exact numbers."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def seconds(value: Fraction | int | None) -> float | None:
    return None if value is None else round(value) / 1000


def spread(values: list[int], column: str) -> dict[str, Any]:
    """The columns of a duration."""
    mean = Fraction(sum(values), len(values)) if values else None
    return {
        f"{column}_count": len(values),
        f"{column}_average_seconds": seconds(mean),
        f"{column}_median_seconds": seconds(percentile(values, Fraction(1, 2))),
        f"{column}_p85_seconds": seconds(percentile(values, Fraction(85, 100))),
        f"{column}_p95_seconds": seconds(percentile(values, Fraction(95, 100))),
    }


def overlap(start: datetime, end: datetime, low: datetime, high: datetime) -> int:
    return max(0, milliseconds(max(start, low), min(end, high)))


@dataclass
class Recount:
    """Figures of ``history`` in buckets that begin at ``edges`` (the last of them is the end of the period)."""

    history: History
    edges: list[datetime]
    now: datetime

    def __post_init__(self) -> None:
        self.start, self.end = self.edges[0], self.edges[-1]
        self.until = min(self.end, self.now)
        self.buckets = list(zip(self.edges, self.edges[1:], strict=False))
        self.begun = [bucket for bucket in self.buckets if bucket[0] < self.now]
        known = [life for life in self.history.lives if life.end and life.ended_source != "unknown"]
        self.ends = [life for life in known if self.start <= life.ended < self.end]
        self.done = [life for life in self.ends if life.end == "completed"]

    def within(self, lives: Iterable[Life], bucket: tuple[datetime, datetime], name: str = "ended") -> list[Life]:
        return [life for life in lives if bucket[0] <= getattr(life, name) < bucket[1]]

    def completed(self) -> list[dict[str, Any]]:
        rows = []
        for bucket in self.buckets:
            arrived = [
                life
                for life in self.within(self.history.lives, bucket, "entered")
                if life.source != "unknown" and not life.continues
            ]
            done = self.within(self.done, bucket)
            other = len(self.within(self.ends, bucket)) - len(done)
            rows.append(
                {
                    "completed": len(done),
                    "imported": sum(life.imported for life in done),
                    "inferred": sum(life.ended_source == "inferred" for life in done),
                    "arrived": len(arrived),
                    "reopened": sum(life.reopened for life in arrived),
                    "ended_otherwise": other,
                    "net": len(arrived) - len(done) - other,
                }
            )
        return rows

    def times(self, bucket: tuple[datetime, datetime] | None = None) -> dict[str, Any]:
        done = self.done if bucket is None else self.within(self.done, bucket)
        row: dict[str, Any] = {
            "completed": len(done),
            "inferred": sum("inferred" in (life.source, life.ended_source) for life in done),
        }
        for column in ("lead", "queue", "cycle"):
            row |= spread([value for life in done if (value := getattr(life, column)) is not None], column)
        return row

    def cycles(self) -> list[int]:
        return [life.cycle for life in self.done if life.cycle is not None]

    def stands(self, moment: datetime) -> list[Stay]:
        return [stay for stay in self.history.stays if stay.began < moment and (not stay.ended or stay.ended >= moment)]

    def cumulative_flow(self) -> list[dict[str, Any]]:
        rows = []
        for _, end in self.begun:
            row: dict[str, Any] = defaultdict(int)
            for stay in self.stands(end):
                row["elsewhere" if stay.reason == "elsewhere" else stay.status] += 1
            past = [life for life in self.ends if life.ended < end]
            row["completed"] = sum(life.end == "completed" for life in past)
            row["ended_otherwise"] = len(past) - row["completed"]
            rows.append(row)
        return rows

    def littles_law(self) -> list[dict[str, Any]]:
        lives = [
            life
            for life in self.history.lives
            if life.started and not life.continues and life.ended_source != "unknown"
        ]
        rows = []
        for low, high in [*self.begun, (self.start, self.end)]:
            high = min(high, self.until)
            length = milliseconds(low, high)
            time = sum(overlap(life.started, life.ended or high, low, high) for life in lives)
            done = [life for life in lives if life.end == "completed" and low <= life.ended < high]
            wip = Fraction(time, length)
            throughput = Fraction(len(done) * 86_400_000, length)
            cycle = Fraction(sum(life.cycle for life in done), len(done)) if done else None
            expected = throughput * cycle / 86_400_000 if cycle is not None else None
            gap = wip - expected if expected is not None else None
            rows.append(
                {
                    "completed": len(done),
                    "wip": _three(wip),
                    "throughput": _three(throughput),
                    "cycle_average_seconds": _three(cycle and cycle / 1000) if cycle is not None else None,
                    "expected_wip": _three(expected),
                    "gap": _three(gap),
                    "gap_percent": _three(100 * gap / wip) if gap is not None and wip else None,
                }
            )
        return rows

    def in_progress(self) -> list[tuple[str, str, int]]:
        """Reference, status and age of what was begun and goes on."""
        lives = {(life.task, life.number): life for life in self.history.lives}
        stays = []
        for stay in self.stands(self.until):
            life = lives[stay.task, stay.episode]
            if life.started and life.started < self.until:
                stays.append((life.ref, stay.status, milliseconds(life.started, self.until)))
        return sorted(stays)

    def waiting(self) -> dict[str | None, list[int]]:
        """How long each task waited within the period, by reason; None: for any."""
        waits: dict[str | None, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for stay in self.history.stays:
            is_there = stay.began < self.until and (stay.ended is None or stay.ended > self.start)
            if stay.reason in ("", "elsewhere") or not is_there:
                continue
            for reason in (stay.reason, None):
                waits[reason][stay.task] += overlap(stay.began, stay.ended or self.until, self.start, self.until)
        return {reason: list(by_task.values()) for reason, by_task in waits.items()}

    def here(self) -> list[Life]:
        return [life for life in self.done if not life.imported and life.source != "unknown"]

    def statuses(self) -> dict[str | None, list[int]]:
        """How long each completed episode was in a status; None: in any."""
        of = {(life.task, life.number) for life in self.here()}
        spent: dict[str | None, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        for stay in self.history.stays:
            if (stay.task, stay.episode) in of:
                for status in (stay.status, None):
                    spent[status][stay.task, stay.episode] += milliseconds(stay.began, stay.ended)
        return {status: list(by_episode.values()) for status, by_episode in spent.items()}

    def efficiency(self, bucket: tuple[datetime, datetime]) -> tuple[int, int, int]:
        """Number, time in progress and lead time of what was completed here in ``bucket``."""
        done = self.within(self.here(), bucket)
        of = {(life.task, life.number) for life in done}
        worked = sum(
            milliseconds(stay.began, stay.ended)
            for stay in self.history.stays
            if stay.status == "in_progress" and (stay.task, stay.episode) in of
        )
        return len(done), worked, sum(life.lead for life in done)

    def throughput(self) -> list[int]:
        """Completions a day, the buckets being whole days, from the first entry on."""
        entries = [life.entered for life in self.history.lives if life.source != "unknown"]
        days = [bucket for bucket in self.buckets if bucket[1] <= self.now and entries and min(entries) < bucket[1]]
        return [len(self.within(self.done, day)) for day in days]


def _three(value: Fraction | None) -> float | None:
    return None if value is None else float(round(value, 3))
