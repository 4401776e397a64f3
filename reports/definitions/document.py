"""A report definition: what to count, by what, when and where. Immutable, and one-to-one with its JSON document."""

from dataclasses import dataclass, replace
from typing import Any

from reports.periods import BucketSize
from tasks.conditions import Condition, document_of

VERSION = 1
MOST_MEASURES = 5
MOST_BY = 3
MOST_CELLS = 10_000
CHARTS = ("columns", "strips", "bars", "lines", "area", "scatter", "histogram", "heat_map", "table")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure and how its values are put together; without a name, how many facts there are."""

    aggregate: str
    name: str | None = None

    @property
    def column(self) -> str:
        return self.aggregate if self.name is None else f"{self.name}_{self.aggregate}"


@dataclass(frozen=True, slots=True)
class Time:
    """The moment that facts count by, and into buckets of what size; ``auto`` for one that fits, None for none."""

    on: str
    bucket: str | None = None


@dataclass(frozen=True, slots=True)
class Last:
    """The last ``number`` units, up to the end of today (of this hour, of this minute)."""

    number: int
    unit: BucketSize


@dataclass(frozen=True, slots=True)
class Between:
    """From one date or time up to another, which is not included; without it, up to the end of today."""

    start: str
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """What a report counts. Made by ``reports.definitions.read``, which checks it against the vocabulary.

    ``tz``: the name of a zone, or ``reader``. ``where``: which facts; None for all.
    """

    facts: str
    measures: tuple[Measured, ...]
    by: tuple[str, ...] = ()
    time: Time | None = None
    period: Last | Between | None = None
    tz: str = "reader"
    where: Condition | None = None
    compare: str | None = None
    order: tuple[str, ...] = ()
    limit: int | None = None
    chart: str | None = None

    def with_order(self, order: tuple[str, ...]) -> "Definition":
        return replace(self, order=order)

    def to_document(self) -> dict[str, Any]:
        """The JSON document; ``read`` gives the same definition for it."""
        document: dict[str, Any] = {
            "version": VERSION,
            "facts": self.facts,
            "measures": [
                {"aggregate": each.aggregate} if each.name is None else {"name": each.name, "aggregate": each.aggregate}
                for each in self.measures
            ],
        }
        if self.by:
            document["by"] = list(self.by)
        if self.time is not None:
            document["time"] = {"on": self.time.on} | ({"bucket": self.time.bucket} if self.time.bucket else {})
        match self.period:
            case Last(number, unit):
                document["period"] = {"last": number, "unit": unit.value}
            case Between(start, end):
                document["period"] = {"from": start} | ({"to": end} if end else {})
        document["tz"] = self.tz
        if self.where is not None:
            document["where"] = document_of(self.where)
        if self.compare:
            document["compare"] = self.compare
        if self.order:
            document["order"] = list(self.order)
        if self.limit is not None:
            document["limit"] = self.limit
        if self.chart:
            document["show"] = {"chart": self.chart}
        return document
