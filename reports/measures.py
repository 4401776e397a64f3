"""Aggregates over facts, computed by the database, so that no row of a fact is read into Python.

The measured columns hold whole numbers (milliseconds, millionths of money, tokens), so sums and means are exact and the
same on every database.

*Percentiles* are continuous with linear interpolation (Hyndman & Fan 1996, type 7): over the sorted values
``v[0] … v[n-1]`` the percentile ``p`` lies at position ``x = p · (n − 1)`` and is
``v[⌊x⌋] + (x − ⌊x⌋) · (v[⌊x⌋+1] − v[⌊x⌋])``. This is PostgreSQL's ``percentile_cont`` and NumPy's default; on
SQLite the two neighbours are read from an index over the values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Count:
    """How many facts have a value in ``column``; without one, how many facts there are."""

    column: str | None = None


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different values ``column`` has."""

    column: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of ``column``; 0 if there are no values."""

    column: str


@dataclass(frozen=True, slots=True)
class Average:
    """The arithmetic mean of ``column``; None if there are no values."""

    column: str


@dataclass(frozen=True, slots=True)
class Least:
    """The smallest value of ``column``; None if there are no values."""

    column: str


@dataclass(frozen=True, slots=True)
class Greatest:
    """The largest value of ``column``; None if there are no values."""

    column: str


@dataclass(frozen=True, slots=True)
class Percentile:
    """The ``fraction`` percentile (whole hundredths, 0 to 1) of ``column``; None if there are no values."""

    column: str
    fraction: float


Aggregate = Count | Distinct | Sum | Average | Least | Greatest | Percentile
Exact = int | Fraction
Values = dict[str, Exact | None]
#: The values of the columns that facts are grouped by, in their order.
Group = tuple


@dataclass(frozen=True, slots=True)
class Tally:
    """What an engine computes of one column in one group: of those that are asked for, how many ``distinct`` values.

    The percentiles are as ``percentile_cont`` gives them.
    """

    count: int = 0
    total: int = 0
    least: int | None = None
    greatest: int | None = None
    percentiles: Mapping[float, float] = field(default_factory=dict)
    distinct: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """What an engine computes of one group: how many facts, and a tally for each column."""

    facts: int = 0
    of: Mapping[str, Tally] = field(default_factory=dict)

    def read(self, aggregate: Aggregate) -> Exact | None:
        """The exact value of ``aggregate``."""
        if aggregate.column is None:
            return self.facts
        tally = self.of.get(aggregate.column, Tally())
        match aggregate:
            case Count():
                return tally.count
            case Distinct():
                return tally.distinct
            case Sum():
                return tally.total
            case Average():
                return Fraction(tally.total, tally.count) if tally.count else None
            case Least():
                return tally.least
            case Greatest():
                return tally.greatest
            case Percentile(fraction=fraction):
                if not tally.count:
                    return None
                # Between whole numbers at hundredths of a position lie hundredths: what is finer is the float's.
                return Fraction(round(tally.percentiles[fraction] * 100), 100)


def without_facts(measures: Mapping[str, Aggregate]) -> Values:
    """What ``measures`` give if there are no facts."""
    return {name: Counted().read(measure) for name, measure in measures.items()}


@dataclass(frozen=True)
class Summary:
    """Measures by group, and over all facts together. Groups without facts are absent."""

    groups: dict[Group, Values]
    total: Values
