"""Figures formatted for people."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reports.periods import BucketSize
from taskproject.money import amount

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def duration(seconds: float) -> str:
    """A duration in its two largest units: ``42 s``, ``3 h 11 min``, ``2 d 5 h``; and a tenth below ten seconds."""
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if 0 < seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, part, part_name in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1, "s")):
        # Rounded to the smaller unit first, so that 59 min 59.9 s never reads as 0 h 60 min.
        parts = round(whole / part)
        if parts * part >= size:
            big, small = divmod(parts, size // part)
            return f"{big:,} {name} {small} {part_name}" if small else f"{big:,} {name}"
    return f"{whole} s"


def _clock(time: date) -> str:
    """``02:00``, and ``02:00 CEST`` in the hour that comes twice when clocks are put back."""
    is_twice = isinstance(time, datetime) and len({time.replace(fold=fold).utcoffset() for fold in (0, 1)}) > 1
    return f"{time:%H:%M %Z}" if is_twice else f"{time:%H:%M}"


def bucket_labels(names: Sequence[date], size: BucketSize) -> list[str]:
    """The buckets' names below a chart, with the day or the year where two would be the same without it."""
    labels = [bucket_label(name, size) for name in names]
    if len(set(labels)) == len(labels):
        return labels
    if not size.is_of_days:
        labels = [f"{name.day} {name:%b}, {label}" for name, label in zip(names, labels, strict=True)]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{label} {name:%Y}" for name, label in zip(names, labels, strict=True)]


def bucket_label(name: date, size: BucketSize) -> str:
    """A bucket's name below a chart: ``5 Jan`` for a day or the week that starts then, ``Jan 2026`` for a month."""
    match size:
        case BucketSize.MINUTE | BucketSize.HOUR:
            return _clock(name)
        case BucketSize.MONTH:
            return f"{name:%b %Y}"
        case BucketSize.QUARTER:
            return f"Q{_quarter(name)} {name:%Y}"
        case BucketSize.YEAR:
            return f"{name:%Y}"
    return f"{name.day} {name:%b}"


def bucket_name(name: date, size: BucketSize) -> str:
    """A bucket's full name in tables: ``5 Jan 2026``, ``Week of 5 Jan 2026``, ``January 2026``."""
    match size:
        case BucketSize.MINUTE | BucketSize.HOUR:
            return f"{name:%a} {name.day} {name:%b %Y}, {_clock(name)}"
        case BucketSize.WEEK:
            return f"Week of {name.day} {name:%b %Y}"
        case BucketSize.MONTH:
            return f"{name:%B %Y}"
        case BucketSize.QUARTER | BucketSize.YEAR:
            return bucket_label(name, size)
    return f"{name:%a} {name.day} {name:%b %Y}"


def _quarter(day: date) -> int:
    return (day.month + 2) // 3


def figure(value: Any, unit: str) -> str:
    """A value with the unit that its column declares; an em dash if there is no value."""
    match value, unit:
        case None, _:
            return "—"
        case ((int() | float()), "seconds"):
            return duration(value)
        case ((int() | float()), "percent"):
            return f"{value:.1f} %"
        case ((int() | float()), "ratio"):
            return f"{value:.2f}"
        case ((int() | float() | Decimal()), "money"):
            return amount(value)
        case bool(), _:
            return "yes" if value else "no"
        case int(), _:
            return f"{value:,}"
        case float(), _:
            return f"{value:,.2f}".removesuffix("0").removesuffix(".0")
        case datetime(), _:
            return f"{value:%Y-%m-%d %H:%M} UTC"
    return str(value)
