"""When a failed delivery is tried again."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

#: The delay before each attempt: the first at once. *Standard Webhooks*, section *Operational considerations*.
DELAYS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
)
#: Spread over this much more than the delay, so that what failed together is not tried again together.
JITTER: Final = 0.1
#: A receiver may ask for no longer delay.
LONGEST_WAIT: Final = timedelta(hours=24)


def delay_after(failures: int) -> timedelta | None:
    """How long to wait after that many failed attempts (1 or more); None: give up."""
    if failures >= len(DELAYS):
        return None
    return DELAYS[failures] * random.uniform(1, 1 + JITTER)


def wait_asked_for(headers: Mapping[str, str] | None, now: datetime) -> timedelta:
    """The delay that ``Retry-After`` asks for, in seconds or as a date (RFC 9110, 10.2.3), up to ``LONGEST_WAIT``.

    Zero if there is none, or none that can be read.
    """
    text = (headers or {}).get("retry-after", "").strip()
    if not text:
        return timedelta()
    if text.isascii() and text.isdecimal():
        # Longer numbers are more than any bound.
        wait = timedelta(seconds=int(text)) if len(text) < 9 else LONGEST_WAIT
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return timedelta()
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta()), LONGEST_WAIT)
