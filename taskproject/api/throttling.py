"""Limits that hold when requests come at once: one atomic count a caller, in memory or in Redis.

DRF's throttles read, add and write back, and let most of a burst through.
"""

import time
from functools import cache
from typing import Any

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import SlidingWindowCounterRateLimiter
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

_storage: Storage = RedisStorage(settings.REDIS_URL) if settings.REDIS_URL else MemoryStorage()
_limiter = SlidingWindowCounterRateLimiter(_storage)


@cache
def _limit(notation: str) -> RateLimitItem:
    return parse(notation)


class CallerThrottle(BaseThrottle):
    """At most ``API_RATE_LIMIT`` requests a caller: a user, or an address that is not authenticated.

    With ``REDIS_URL`` all processes count together, else each counts for itself. Forwarded addresses are not believed.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        self.item = _limit(settings.API_RATE_LIMIT)
        user = request.user
        self.caller = f"user:{user.pk}" if user.is_authenticated else f"address:{request.META.get('REMOTE_ADDR')}"
        return _limiter.hit(self.item, self.caller)

    def wait(self) -> float:
        reset, _ = _limiter.get_window_stats(self.item, self.caller)
        return max(1.0, reset - time.time())


def forget_all() -> None:
    """Begin counting anew; for tests."""
    _storage.reset()
