"""Limits that hold for concurrent requests: one atomic count per caller, in memory or in Redis.

DRF's throttles read, add and write back, and let most of a burst through; the ``limits`` library's memory storage
starts a thread at nearly every request.
"""

import threading
import time
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

#: How many callers' counts are kept in memory before those of past windows are removed.
CALLERS_KEPT = 10_000


class _Count(NamedTuple):
    """Requests of one caller: in the previous window and in the current one."""

    window: int
    before: int
    now: int


class MemoryLimiter:
    """A sliding window counter for this process: the previous window counts by the share of it still in view."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._lock = threading.Lock()

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        """Count a request of ``caller``; False, without counting it, if it would exceed the limit."""
        window, passed = divmod(time.time() / item.get_expiry(), 1)
        with self._lock:
            count = self._count(caller, int(window))
            allowed = int(count.before * (1 - passed) + count.now) < item.amount
            self._counts[caller] = count._replace(now=count.now + 1) if allowed else count
            if len(self._counts) > CALLERS_KEPT:
                self._forget_older_than(int(window) - 1)
        return allowed

    def wait(self, item: RateLimitItem, caller: str) -> float:
        """Seconds until a request of ``caller`` may be allowed again."""
        window, passed = divmod(time.time() / item.get_expiry(), 1)
        with self._lock:
            count = self._count(caller, int(window))
        rest = 1 - passed
        if count.now >= item.amount:
            # In the next window these count as the previous ones.
            return item.get_expiry() * (rest + 1 - item.amount / (count.now + 1))
        free_from = 1 - (item.amount - count.now) / (count.before + 1)
        return item.get_expiry() * max(0.0, free_from - passed)

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()

    def _count(self, caller: str, window: int) -> _Count:
        count = self._counts.get(caller)
        if count is None or count.window < window - 1:
            return _Count(window, 0, 0)
        return count if count.window == window else _Count(window, count.now, 0)

    def _forget_older_than(self, window: int) -> None:
        self._counts = {caller: count for caller, count in self._counts.items() if count.window >= window}


class RedisLimiter:
    """The same, counted across all processes."""

    def __init__(self, url: str) -> None:
        self._storage = RedisStorage(url)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        return self._limiter.hit(item, caller)

    def wait(self, item: RateLimitItem, caller: str) -> float:
        reset, _ = self._limiter.get_window_stats(item, caller)
        return reset - time.time()

    def reset(self) -> None:
        self._storage.reset()


_limiter: MemoryLimiter | RedisLimiter = RedisLimiter(settings.REDIS_URL) if settings.REDIS_URL else MemoryLimiter()


@cache
def _limit(notation: str) -> RateLimitItem:
    return parse(notation)


class CallerThrottle(BaseThrottle):
    """At most ``API_RATE_LIMIT`` requests per caller: a user, or the address of an anonymous request.

    With ``REDIS_URL`` all processes count together, else each counts separately. Forwarded addresses are not trusted.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        self.item = _limit(settings.API_RATE_LIMIT)
        user = request.user
        self.caller = f"user:{user.pk}" if user.is_authenticated else f"address:{request.META.get('REMOTE_ADDR')}"
        return _limiter.hit(self.item, self.caller)

    def wait(self) -> float:
        return max(1.0, _limiter.wait(self.item, self.caller))


def forget_all() -> None:
    """Reset all counts, for tests."""
    _limiter.reset()
