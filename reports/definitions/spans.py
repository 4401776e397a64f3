"""The period of a definition for one reader at one time."""

from datetime import datetime
from zoneinfo import ZoneInfo

from reports.definitions.document import Between, Definition, Last
from reports.instants import READER, instant_at, zone_at
from reports.periods import (
    AUTO,
    DEFAULT_LENGTH,
    MAX_BUCKETS,
    BucketSize,
    Period,
    automatic,
    end_of_now,
    start_of_last,
)
from taskproject.errors import Invalid

#: Where neither a period nor a bucket is given.
DEFAULT = Last(DEFAULT_LENGTH[BucketSize.WEEK], BucketSize.WEEK)


def period_of(definition: Definition, *, now: datetime, reads_in: ZoneInfo) -> Period:
    """The period and its buckets; without a bucket, one that fits. ``reads_in``: the zone of the reader.

    Raises ``Invalid`` for a period that ends before it begins, or with too many buckets.
    """
    zone = reads_in if definition.tz == READER else zone_at("tz", definition.tz)
    bucket = (definition.time.bucket if definition.time else None) or AUTO
    given = definition.period or _default(bucket)
    if isinstance(given, Last):
        end = end_of_now(now, given.unit, zone)
        start = start_of_last(given.number, given.unit, end, zone)
    else:
        start, end = _between(given, now, zone)
    size = automatic(start, end, zone) if bucket == AUTO else BucketSize(bucket)
    period = Period(start, end, size, zone)
    if not period.count_at_most(MAX_BUCKETS):
        raise Invalid({"time.bucket": f"The period has more than {MAX_BUCKETS:,} {size}s; choose a larger bucket."})
    return period


def previous_of(definition: Definition, period: Period) -> Period:
    """The period that ``period`` is compared with."""
    given = definition.period or _default((definition.time.bucket if definition.time else None) or AUTO)
    return period.previous((given.number, given.unit) if isinstance(given, Last) else None)


def _default(bucket: str) -> Last:
    return DEFAULT if bucket == AUTO else Last(DEFAULT_LENGTH[BucketSize(bucket)], BucketSize(bucket))


def _between(given: Between, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    start = instant_at("period.from", given.start, zone)
    if given.end is None:
        end = end_of_now(now, BucketSize.DAY, zone)
        if start >= end:
            raise Invalid({"period.from": "It is in the future; choose an earlier one, or give `to` as well."})
        return start, end
    end = instant_at("period.to", given.end, zone)
    if start >= end:
        raise Invalid({"period.to": "It must be after `from`; the period goes up to, but not including, `to`."})
    return start, end
