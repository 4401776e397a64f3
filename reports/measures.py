"""Measures over facts, computed by the database, so that no row of a fact is read into Python.

*Percentiles* are continuous with linear interpolation (Hyndman & Fan 1996, type 7): over the sorted values
``v[0] … v[n-1]`` the percentile ``p`` lies at position ``x = p · (n − 1)`` and is
``v[⌊x⌋] + (x − ⌊x⌋) · (v[⌊x⌋+1] − v[⌊x⌋])``. This is PostgreSQL's ``percentile_cont`` and NumPy's default; on
SQLite the two neighbours are read from an index over the values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Count:
    """How many facts have a value in ``column``."""

    column: str


@dataclass(frozen=True, slots=True)
class Average:
    """The arithmetic mean of ``column``; None if there are no values."""

    column: str


@dataclass(frozen=True, slots=True)
class Percentile:
    """The ``fraction`` percentile (0 to 1) of ``column``, as defined above; None if there are no values."""

    column: str
    fraction: float


Measure = Count | Average | Percentile
Values = dict[str, Any]


def without_facts(measures: Mapping[str, Measure]) -> Values:
    """What ``measures`` give if there are no facts."""
    return {name: 0 if isinstance(measure, Count) else None for name, measure in measures.items()}


@dataclass(frozen=True)
class Summary:
    """Measures by group, and over all facts together. Groups without facts are absent."""

    groups: dict[Any, Values]
    total: Values
