"""The limit on each caller's requests to the API."""

import math
from functools import cache
from typing import Any

from django.conf import settings
from limits import RateLimitItem, parse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from taskproject.errors import TooManyRequests
from taskproject.limiter import limiter
from taskproject.reach import caller_of

#: Messages and reactions of one caller.
MESSAGES_PER_MINUTE = 60


@cache
def _limit(notation: str) -> RateLimitItem:
    return parse(notation)


class CallerThrottle(BaseThrottle):
    """At most ``API_RATE_LIMIT`` requests per caller: a user, or the address of an anonymous request.

    With ``REDIS_URL`` all processes count together, else each counts separately. Forwarded addresses are not trusted.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        self.item = _limit(settings.API_RATE_LIMIT)
        self.caller = _name_of_caller(request)
        return limiter.hit(self.item, self.caller)

    def wait(self) -> float:
        return max(1.0, limiter.wait(self.item, self.caller))


def _name_of_caller(request: Request) -> str:
    if not request.user.is_authenticated:
        return f"address:{request.META.get('REMOTE_ADDR')}"
    return _name_of_user(request.user)


def _name_of_user(actor: Any) -> str:
    user, made_by = caller_of(actor)
    return f"user:{user}" if made_by is None else f"user:{user}:by:{made_by}"


def require_pace(actor: Any) -> None:
    """Count something that ``actor`` says to others. Raises ``TooManyRequests`` beyond ``MESSAGES_PER_MINUTE``."""
    item = _limit(f"{MESSAGES_PER_MINUTE}/minute")
    caller = f"{_name_of_user(actor)}:messages"
    if not limiter.hit(item, caller):
        raise TooManyRequests(
            f"At most {MESSAGES_PER_MINUTE} messages a minute.",
            "Wait, and say more in one.",
            retry_after_seconds=max(1, math.ceil(limiter.wait(item, caller))),
        )


def forget_all() -> None:
    """Reset all counts, for tests."""
    limiter.reset()
