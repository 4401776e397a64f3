"""Counting against limits: one atomic count per caller, in Redis for all processes, or in this one's memory.

DRF's throttles read, add and write back, and let most of a burst through; the ``limits`` library's memory storage
starts a thread at nearly every request.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from django.conf import settings
from limits import RateLimitItem
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How many counts are kept in memory before those of past windows are removed.
CALLERS_KEPT = 10_000
#: How long one call may wait for Redis.
REDIS_SECONDS = 0.5
#: How long Redis is left alone after it failed; then one call tries it again.
REST_SECONDS = 5.0
#: At least one connection for each thread that may count at a time.
MOST_CONNECTIONS = 1_000


class Limiter(Protocol):
    """Counts what callers do against limits. A caller is any name, such as ``user:5``; limits do not mix."""

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        """Count one; False, without counting it, if it would exceed the limit."""

    def test(self, item: RateLimitItem, caller: str) -> bool:
        """Whether ``hit`` would count one now."""

    def wait(self, item: RateLimitItem, caller: str) -> float:
        """Seconds until ``hit`` may count one again."""

    def clear(self, item: RateLimitItem, caller: str) -> None:
        """Forget what was counted for ``caller`` against this limit."""

    def reset(self) -> None:
        """Forget everything."""


class Count(NamedTuple):
    """What one caller did, in the previous window and in the current one; windows are numbered from the epoch."""

    seconds: int
    window: int
    before: int
    now: int

    @classmethod
    def at(cls, when: float, item: RateLimitItem, kept: "Count | None") -> "tuple[Count, float]":
        """The count that was ``kept``, as of ``when``, and the share of the current window that has passed."""
        seconds = item.get_expiry()
        number, passed = divmod(when / seconds, 1)
        window = int(number)
        if kept is None or kept.window < window - 1:
            return cls(seconds, window, 0, 0), passed
        return (cls(seconds, window, kept.now, 0) if kept.window < window else kept), passed

    def has_room(self, item: RateLimitItem, passed: float) -> bool:
        return int(self.before * (1 - passed) + self.now) < item.amount

    def wait(self, item: RateLimitItem, passed: float) -> float:
        """Seconds until there is room for one more."""
        if self.now >= item.amount:
            # In the next window these count as the previous ones.
            return self.seconds * (1 - passed + 1 - item.amount / (self.now + 1))
        free_from = 1 - (item.amount - self.now) / (self.before + 1)
        return self.seconds * max(0.0, free_from - passed)


class MemoryLimiter:
    """A sliding window counter for this process: the previous window counts by the share of it still in view."""

    def __init__(self) -> None:
        self._counts: dict[str, Count] = {}
        self._most = CALLERS_KEPT
        self._lock = threading.Lock()

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        with self._lock:
            count, passed = self._count(item, caller)
            allowed = count.has_room(item, passed)
            self._counts[item.key_for(caller)] = count._replace(now=count.now + 1) if allowed else count
            if len(self._counts) > self._most:
                self._forget_past()
        return allowed

    def test(self, item: RateLimitItem, caller: str) -> bool:
        with self._lock:
            count, passed = self._count(item, caller)
        return count.has_room(item, passed)

    def wait(self, item: RateLimitItem, caller: str) -> float:
        with self._lock:
            count, passed = self._count(item, caller)
        return count.wait(item, passed)

    def clear(self, item: RateLimitItem, caller: str) -> None:
        with self._lock:
            self._counts.pop(item.key_for(caller), None)

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()

    def _count(self, item: RateLimitItem, caller: str) -> tuple[Count, float]:
        return Count.at(time.time(), item, self._counts.get(item.key_for(caller)))

    def _forget_past(self) -> None:
        now = time.time()
        self._counts = {key: count for key, count in self._counts.items() if (count.window + 2) * count.seconds > now}
        # Where that many are present, looking through them at every hit would cost more than they do.
        self._most = max(CALLERS_KEPT, 2 * len(self._counts))


class RedisLimiter:
    """The same, counted across all processes. Raises ``RedisError`` or ``OSError`` if Redis fails to answer in time."""

    def __init__(self, url: str) -> None:
        self._storage = RedisStorage(
            url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            max_connections=MOST_CONNECTIONS,
            # A connection that was closed while nobody used it is replaced; a Redis that hangs is not asked twice.
            retry=Retry(NoBackoff(), 1, (NotConnected,)),  # type: ignore[arg-type]  # handed on to redis
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        return self._limiter.hit(item, caller)

    def test(self, item: RateLimitItem, caller: str) -> bool:
        return self._limiter.test(item, caller)

    def wait(self, item: RateLimitItem, caller: str) -> float:
        reset, _ = self._limiter.get_window_stats(item, caller)
        return reset - time.time()

    def clear(self, item: RateLimitItem, caller: str) -> None:
        self._limiter.clear(item, caller)

    def reset(self) -> None:
        self._storage.reset()


class SharedLimiter:
    """``shared`` as long as it answers, else ``own``: each process then counts alone, and nobody waits for Redis.

    Says once in the log when Redis goes and once when it is back. Never raises because of Redis.
    """

    def __init__(self, shared: Limiter, own: Limiter) -> None:
        self._shared, self._own = shared, own
        self._lock = threading.Lock()
        self._is_away = False
        self._next_try = 0.0

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        return self._ask(lambda limiter: limiter.hit(item, caller))

    def test(self, item: RateLimitItem, caller: str) -> bool:
        return self._ask(lambda limiter: limiter.test(item, caller))

    def wait(self, item: RateLimitItem, caller: str) -> float:
        return self._ask(lambda limiter: limiter.wait(item, caller))

    def clear(self, item: RateLimitItem, caller: str) -> None:
        # Both: what was counted here during an outage must not return with the next one.
        self._own.clear(item, caller)
        self._ask(lambda limiter: limiter.clear(item, caller))

    def reset(self) -> None:
        self._own.reset()
        self._ask(lambda limiter: limiter.reset())

    def _ask(self, question: Callable[[Limiter], T]) -> T:
        if not self._is_left_alone():
            try:
                answer = question(self._shared)
            except (RedisError, OSError) as error:
                self._begin_outage(error)
            else:
                self._end_outage()
                return answer
        return question(self._own)

    def _is_left_alone(self) -> bool:
        """Whether not to try Redis now; during an outage one caller tries from time to time, the others do not wait."""
        if not self._is_away:
            return False
        with self._lock:
            now = time.monotonic()
            if self._is_away and now < self._next_try:
                return True
            self._next_try = now + REST_SECONDS
            return False

    def _begin_outage(self, error: Exception) -> None:
        with self._lock:
            if not self._is_away:
                reason = " ".join(str(error).split())[:200]
                logger.warning("Redis fails (%s); each process counts requests against the limits alone.", reason)
            self._is_away = True
            self._next_try = time.monotonic() + REST_SECONDS

    def _end_outage(self) -> None:
        if not self._is_away:
            return
        with self._lock:
            if self._is_away:
                logger.warning("Redis is back; all processes count requests against the limits together.")
            self._is_away = False


def limiter_at(redis_url: str) -> Limiter:
    """Counts in the Redis at this URL; without one, in memory."""
    return SharedLimiter(RedisLimiter(redis_url), MemoryLimiter()) if redis_url else MemoryLimiter()


#: The one of this process, for every limit.
limiter: Limiter = limiter_at(settings.REDIS_URL)
