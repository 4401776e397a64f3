"""Durations of completed episodes as columns: their number, mean and percentiles."""

from collections.abc import Iterator, Mapping

from reports.measures import Aggregate, Average, Count, Exact, Percentile
from reports.report import Column, Row
from reports.units import SECONDS, settled

#: Name in columns, words, the fraction and how many values it needs.
PERCENTILES = (
    ("median", "median", 0.5, 2),
    ("p85", "85th percentile", 0.85, 7),
    ("p95", "95th percentile", 0.95, 20),
)


def measures_of(column: str) -> Mapping[str, Aggregate]:
    """The measures of the duration ``column``, by the names of ``columns_of``."""
    spread = {f"{column}_{name}_seconds": Percentile(column, fraction) for name, _, fraction, _ in PERCENTILES}
    return {f"{column}_count": Count(column), f"{column}_average_seconds": Average(column), **spread}


def columns_of(column: str, label: str) -> Iterator[Column]:
    """The columns that show the measures of the duration ``column``."""
    count = f"{column}_count"
    yield Column(count, f"{label}: tasks", "tasks", "n")
    yield Column(f"{column}_average_seconds", f"{label}: mean", SECONDS, n=count)
    for name, words, _, needs in PERCENTILES:
        yield Column(f"{column}_{name}_seconds", f"{label}: {words}", SECONDS, n=count, needs=needs)


def in_units(values: Mapping[str, Exact | None]) -> Row:
    """Measured ``values`` as a row shows them: those named ``…_seconds`` in seconds, the others as they are."""
    return {name: settled(value, SECONDS) if name.endswith("seconds") else value for name, value in values.items()}


def share_of(part: float, whole: float) -> float | None:
    """``part`` of ``whole`` in percent; None if there is nothing to share."""
    return round(100 * part / whole, 2) if whole else None
